<?xml version="1.0" encoding="utf-8"?>
<!DOCTYPE TS>
<TS version="2.1" language="fr" sourcelanguage="en">
    <context>
        <name>AreaChooser</name>
        <message>
            <source>&amp;Visible</source>
            <translation>&amp;Visible</translation>
        </message>
        <message>
            <source>Search what the map shows</source>
            <translation>Cherche dans ce que montre la carte</translation>
        </message>
        <message>
            <source>&amp;Rectangle</source>
            <translation>&amp;Rectangle</translation>
        </message>
        <message>
            <source>Draw a rectangle on the map and search it</source>
            <translation>Tracer un rectangle sur la carte et y chercher</translation>
        </message>
        <message>
            <source>&amp;Selection</source>
            <translation>&amp;Sélection</translation>
        </message>
        <message>
            <source>Search inside the selected polygons of any polygon layer</source>
            <translation>Cherche dans les polygones sélectionnés d’une couche de polygones</translation>
        </message>
        <message>
            <source>Draw a rectangle on the map first.</source>
            <translation>Tracez d’abord un rectangle sur la carte.</translation>
        </message>
        <message>
            <source>Select one or more polygons on the map first.</source>
            <translation>Sélectionnez d’abord un ou plusieurs polygones sur la carte.</translation>
        </message>
    </context>
    <context>
        <name>DetectionsModel</name>
        <message>
            <source>Score</source>
            <translation>Score</translation>
        </message>
        <message>
            <source>Label</source>
            <translation>Étiquette</translation>
        </message>
        <message>
            <source>Area</source>
            <translation>Surface</translation>
        </message>
        <message>
            <source>Length</source>
            <translation>Longueur</translation>
        </message>
        <message>
            <source>Azim.</source>
            <translation>Azim.</translation>
        </message>
        <message>
            <source>Azimuth: direction of the long axis, clockwise from true north</source>
            <translation>Azimut : direction du grand axe, dans le sens horaire depuis le nord géographique</translation>
        </message>
        <message>
            <source>Length of the long side of the oriented box</source>
            <translation>Longueur du grand côté du rectangle orienté</translation>
        </message>
        <message>
            <source>A reference of the expression: relations were checked against it</source>
            <translation>Un repère de l’expression : les relations ont été vérifiées par rapport à lui</translation>
        </message>
        <message>
            <source>Click: show on the map. Double click: open its attributes</source>
            <translation>Clic : montrer sur la carte. Double clic : ouvrir ses attributs</translation>
        </message>
        <message>
            <source>ref.</source>
            <translation>repère</translation>
        </message>
    </context>
    <context>
        <name>DrawnResults</name>
        <message>
            <source>Export the result</source>
            <translation>Exporter le résultat</translation>
        </message>
        <message>
            <source>These files exist. Replace them?</source>
            <translation>Ces fichiers existent déjà. Les remplacer ?</translation>
        </message>
        <message>
            <source>RSGround: exporting to {name}</source>
            <translation>RSGround : export vers {name}</translation>
        </message>
    </context>
    <context>
        <name>EngineChooser</name>
        <message>
            <source>Engine</source>
            <translation>Moteur</translation>
        </message>
        <message>
            <source>Built-in engine</source>
            <translation>Moteur intégré</translation>
        </message>
        <message>
            <source>{title} (not available)</source>
            <translation>{title} (non disponible)</translation>
        </message>
        <message>
            <source>No download, no GPU, no account.</source>
            <translation>Sans téléchargement, sans GPU, sans compte.</translation>
        </message>
        <message>
            <source>boxes</source>
            <translation>boîtes</translation>
        </message>
        <message>
            <source>oriented boxes</source>
            <translation>boîtes orientées</translation>
        </message>
        <message>
            <source>masks</source>
            <translation>masques</translation>
        </message>
        <message>
            <source>Gives {what}. {needs}</source>
            <translation>Donne {what}. {needs}</translation>
        </message>
    </context>
    <context>
        <name>ExpressionLine</name>
        <message>
            <source>What to find, e.g. {example}</source>
            <translation>Que chercher, p. ex. {example}</translation>
        </message>
        <message>
            <source>Expression: what to find</source>
            <translation>Expression : que chercher</translation>
        </message>
        <message>
            <source>History</source>
            <translation>Historique</translation>
        </message>
        <message>
            <source>Earlier queries: click one to run it again</source>
            <translation>Requêtes précédentes : un clic relance la requête</translation>
        </message>
        <message>
            <source>Run again. {n} found on {when} with engine {engine}</source>
            <translation>Relancer. {n} trouvés le {when} avec le moteur {engine}</translation>
        </message>
        <message>
            <source>No queries yet</source>
            <translation>Aucune requête</translation>
        </message>
        <message>
            <source>Clear the history</source>
            <translation>Effacer l’historique</translation>
        </message>
    </context>
    <context>
        <name>MessageArea</name>
        <message>
            <source>Details of the message</source>
            <translation>Détails du message</translation>
        </message>
        <message>
            <source>Details</source>
            <translation>Détails</translation>
        </message>
        <message>
            <source>Copy</source>
            <translation>Copier</translation>
        </message>
        <message>
            <source>Copy the message and its details</source>
            <translation>Copier le message et ses détails</translation>
        </message>
        <message>
            <source>Close the message</source>
            <translation>Fermer le message</translation>
        </message>
    </context>
    <context>
        <name>ProgressRow</name>
        <message>
            <source>Drawing the tile</source>
            <translation>Dessin de l’image</translation>
        </message>
        <message>
            <source>Starting the server</source>
            <translation>Démarrage du serveur</translation>
        </message>
        <message>
            <source>Sending the tile</source>
            <translation>Envoi de l’image</translation>
        </message>
        <message>
            <source>Looking at the image</source>
            <translation>Examen de l’image</translation>
        </message>
        <message>
            <source>Dividing the image into regions</source>
            <translation>Division de l’image en régions</translation>
        </message>
        <message>
            <source>Measuring regions</source>
            <translation>Mesure des régions</translation>
        </message>
        <message>
            <source>Looking for candidates</source>
            <translation>Recherche de candidats</translation>
        </message>
        <message>
            <source>Checking relations</source>
            <translation>Vérification des relations</translation>
        </message>
        <message>
            <source>Measuring what was found</source>
            <translation>Mesure des objets trouvés</translation>
        </message>
        <message>
            <source>Writing the results</source>
            <translation>Écriture des résultats</translation>
        </message>
        <message>
            <source>Progress of the query</source>
            <translation>Avancement de la requête</translation>
        </message>
    </context>
    <context>
        <name>QueryForm</name>
        <message>
            <source>Raster layer to search</source>
            <translation>Couche raster où chercher</translation>
        </message>
        <message>
            <source>&amp;Boxes</source>
            <translation>&amp;Boîtes</translation>
        </message>
        <message>
            <source>&amp;Oriented</source>
            <translation>&amp;Orientées</translation>
        </message>
        <message>
            <source>&amp;Masks</source>
            <translation>&amp;Masques</translation>
        </message>
        <message>
            <source>Boxes along the screen</source>
            <translation>Boîtes alignées sur l’écran</translation>
        </message>
        <message>
            <source>Boxes along the object</source>
            <translation>Boîtes alignées sur l’objet</translation>
        </message>
        <message>
            <source>The object's outline, with its holes</source>
            <translation>Le contour de l’objet, avec ses trous</translation>
        </message>
        <message>
            <source>&amp;Layer</source>
            <translation>&amp;Couche</translation>
        </message>
        <message>
            <source>&amp;Area</source>
            <translation>&amp;Zone</translation>
        </message>
        <message>
            <source>Draw</source>
            <translation>Dessiner</translation>
        </message>
        <message>
            <source>En&amp;gine</source>
            <translation>Mo&amp;teur</translation>
        </message>
        <message>
            <source>Add a raster layer to the project first: an image file, or a web map.</source>
            <translation>Ajoutez d’abord une couche raster au projet : un fichier image ou une carte web.</translation>
        </message>
        <message>
            <source>The layer “{name}” cannot be read: its source is broken.</source>
            <translation>La couche « {name} » ne peut pas être lue : sa source est rompue.</translation>
        </message>
        <message>
            <source>Type what to find first.</source>
            <translation>Saisissez d’abord ce qu’il faut chercher.</translation>
        </message>
        <message>
            <source>Tick at least one of boxes, oriented boxes and masks.</source>
            <translation>Cochez au moins un type : boîtes, boîtes orientées ou masques.</translation>
        </message>
        <message>
            <source>&amp;Cancel</source>
            <translation>&amp;Annuler</translation>
        </message>
        <message>
            <source>&amp;Find</source>
            <translation>&amp;Trouver</translation>
        </message>
        <message>
            <source>Stop the query (Esc)</source>
            <translation>Arrêter la requête (Échap)</translation>
        </message>
        <message>
            <source>Run the query (Enter)</source>
            <translation>Lancer la requête (Entrée)</translation>
        </message>
        <message>
            <source>Stopping</source>
            <translation>Arrêt</translation>
        </message>
    </context>
    <context>
        <name>RSGroundDock</name>
        <message>
            <source>Saved to {path}</source>
            <translation>Enregistré dans {path}</translation>
        </message>
        <message>
            <source>RSGround: {expression}</source>
            <translation>RSGround : {expression}</translation>
        </message>
        <message>
            <source>RSGround: starting its server</source>
            <translation>RSGround : démarrage du serveur</translation>
        </message>
        <message>
            <source>The expression has {n} characters, and may have {most}. Say it in fewer words.</source>
            <translation>L’expression a {n} caractères, au plus {most} sont permis. Dites-le en moins de mots.</translation>
        </message>
        <message>
            <source>Stopped. Nothing was drawn.</source>
            <translation>Arrêté. Rien n’a été dessiné.</translation>
        </message>
        <message>
            <source>The layer “{name}” was removed while the query ran; the result was kept.</source>
            <translation>La couche « {name} » a été supprimée pendant la requête ; le résultat a été conservé.</translation>
        </message>
        <message>
            <source>Nothing was found.</source>
            <translation>Rien n’a été trouvé.</translation>
        </message>
        <message>
            <source>All that was found scores below the slider: move it to the left to see it.</source>
            <translation>Tout ce qui a été trouvé est sous le seuil : déplacez le curseur vers la gauche pour le voir.</translation>
        </message>
        <message>
            <source>The project was closed while the query ran, so nothing was drawn.</source>
            <translation>Le projet a été fermé pendant la requête : rien n’a été dessiné.</translation>
        </message>
        <message>
            <source>The result is kept in {path}</source>
            <translation>Le résultat est conservé dans {path}</translation>
        </message>
        <message>
            <source>RSGround's options</source>
            <translation>Options de RSGround</translation>
        </message>
    </context>
    <context>
        <name>RSGroundPlugin</name>
        <message>
            <source>Find things in imagery from a sentence</source>
            <translation>Trouver des objets dans les images à partir d’une phrase</translation>
        </message>
        <message>
            <source>Options …</source>
            <translation>Options …</translation>
        </message>
    </context>
    <context>
        <name>ResultLayers</name>
        <message>
            <source>Masks</source>
            <translation>Masques</translation>
        </message>
        <message>
            <source>Oriented boxes</source>
            <translation>Boîtes orientées</translation>
        </message>
        <message>
            <source>Boxes</source>
            <translation>Boîtes</translation>
        </message>
        <message>
            <source>References</source>
            <translation>Repères</translation>
        </message>
    </context>
    <context>
        <name>ResultsList</name>
        <message>
            <source>Results</source>
            <translation>Résultats</translation>
        </message>
        <message>
            <source>Score</source>
            <translation>Score</translation>
        </message>
    </context>
    <context>
        <name>ResultsPane</name>
        <message>
            <source>Minimum score</source>
            <translation>Score minimal</translation>
        </message>
        <message>
            <source>Hide what scores less, in the list and on the map</source>
            <translation>Masque ce qui est en dessous, dans la liste et sur la carte</translation>
        </message>
        <message>
            <source>Sc&amp;ore ≥</source>
            <translation>Sc&amp;ore ≥</translation>
        </message>
        <message>
            <source>E&amp;xport</source>
            <translation>E&amp;xporter</translation>
        </message>
        <message>
            <source>Save what the list shows to a file</source>
            <translation>Enregistre dans un fichier ce que montre la liste</translation>
        </message>
        <message>
            <source>Understood as: {words}</source>
            <translation>Compris comme : {words}</translation>
        </message>
        <message>
            <source>{seconds:.1f} s, {engine}</source>
            <translation>{seconds:.1f} s, {engine}</translation>
        </message>
        <message>
            <source>No results yet</source>
            <translation>Aucun résultat</translation>
        </message>
        <message>
            <source>{n} found</source>
            <translation>{n} trouvé(s)</translation>
        </message>
        <message>
            <source>{shown} of {n} shown</source>
            <translation>{shown} sur {n} affichés</translation>
        </message>
    </context>
    <context>
        <name>SettingsPage</name>
        <message>
            <source>Python environment of the server</source>
            <translation>Environnement Python du serveur</translation>
        </message>
        <message>
            <source>Set up anew</source>
            <translation>Réinstaller</translation>
        </message>
        <message>
            <source>Remove</source>
            <translation>Supprimer</translation>
        </message>
        <message>
            <source>Open the log</source>
            <translation>Ouvrir le journal</translation>
        </message>
        <message>
            <source>QGIS's own, or the newest suitable one</source>
            <translation>Celui de QGIS, ou le plus récent qui convient</translation>
        </message>
        <message>
            <source>Python to make it from</source>
            <translation>Python dont il est issu</translation>
        </message>
        <message>
            <source>The environment above</source>
            <translation>L’environnement ci-dessus</translation>
        </message>
        <message>
            <source>Interpreter to use instead</source>
            <translation>Interpréteur à utiliser à la place</translation>
        </message>
        <message>
            <source>Made from Python</source>
            <translation>Issu de Python</translation>
        </message>
        <message>
            <source>Use instead</source>
            <translation>Utiliser plutôt</translation>
        </message>
        <message>
            <source>A server that is already running</source>
            <translation>Un serveur déjà lancé</translation>
        </message>
        <message>
            <source>Empty: RSGround starts its own</source>
            <translation>Vide : RSGround lance le sien</translation>
        </message>
        <message>
            <source>The token is kept in QGIS's encrypted authentication database; without a master password it is forgotten when QGIS ends.</source>
            <translation>Le jeton est conservé dans la base d’authentification chiffrée de QGIS ; sans mot de passe principal, il est oublié à la fermeture.</translation>
        </message>
        <message>
            <source>Address</source>
            <translation>Adresse</translation>
        </message>
        <message>
            <source>Token</source>
            <translation>Jeton</translation>
        </message>
        <message>
            <source>Queries</source>
            <translation>Requêtes</translation>
        </message>
        <message>
            <source> pixels</source>
            <translation> pixels</translation>
        </message>
        <message>
            <source>A larger area is sampled coarser, so that memory and time stay bounded</source>
            <translation>Une zone plus grande est échantillonnée plus grossièrement, pour borner mémoire et temps</translation>
        </message>
        <message>
            <source> minutes</source>
            <translation> minutes</translation>
        </message>
        <message>
            <source>never</source>
            <translation>jamais</translation>
        </message>
        <message>
            <source>Beside the project, or in the profile</source>
            <translation>À côté du projet, ou dans le profil</translation>
        </message>
        <message>
            <source>Largest tile, edge</source>
            <translation>Plus grande image, côté</translation>
        </message>
        <message>
            <source>Free an idle engine's memory after</source>
            <translation>Libérer la mémoire d’un moteur inactif après</translation>
        </message>
        <message>
            <source>Results go to</source>
            <translation>Résultats dans</translation>
        </message>
        <message>
            <source>Ready, in {folder}</source>
            <translation>Prêt, dans {folder}</translation>
        </message>
        <message>
            <source>Not set up yet; it goes to {folder}</source>
            <translation>Pas encore installé ; ira dans {folder}</translation>
        </message>
        <message>
            <source>Its making was interrupted: set it up anew. It goes to {folder}</source>
            <translation>L’installation a été interrompue : réinstallez. Ira dans {folder}</translation>
        </message>
        <message>
            <source>Made for another version: set it up anew. It goes to {folder}</source>
            <translation>Installé pour une autre version : réinstallez. Ira dans {folder}</translation>
        </message>
        <message>
            <source>Set up</source>
            <translation>Installer</translation>
        </message>
        <message>
            <source>RSGround's Python environment</source>
            <translation>Environnement Python de RSGround</translation>
        </message>
        <message>
            <source>RSGround: removing its environment</source>
            <translation>RSGround : suppression de l’environnement</translation>
        </message>
        <message>
            <source>The environment was removed.</source>
            <translation>L’environnement a été supprimé.</translation>
        </message>
        <message>
            <source>There is no log yet: the server was not started.</source>
            <translation>Pas encore de journal : le serveur n’a pas été démarré.</translation>
        </message>
    </context>
    <context>
        <name>SetupCard</name>
        <message>
            <source>It is made once, about {size} MB on disk, downloaded from the Python package index. QGIS's own Python is left alone.</source>
            <translation>Il est installé une fois, environ {size} Mo sur le disque, téléchargés depuis l’index des paquets Python. Le Python de QGIS n’est pas touché.</translation>
        </message>
        <message>
            <source>&amp;Set up</source>
            <translation>&amp;Installer</translation>
        </message>
        <message>
            <source>Cancel</source>
            <translation>Annuler</translation>
        </message>
        <message>
            <source>RSGround: setting up its Python environment</source>
            <translation>RSGround : installation de son environnement Python</translation>
        </message>
        <message>
            <source>Starting</source>
            <translation>Démarrage</translation>
        </message>
        <message>
            <source>Cancelling</source>
            <translation>Annulation</translation>
        </message>
    </context>
</TS>
