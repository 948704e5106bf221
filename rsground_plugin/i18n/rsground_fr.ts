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
        <message>
            <source>&amp;Whole layer</source>
            <translation>Couche &amp;entière</translation>
        </message>
        <message>
            <source>Search all of the layer at its own resolution, tile by tile</source>
            <translation>Fouille toute la couche à sa propre résolution, tuile par tuile</translation>
        </message>
        <message>
            <source>The layer “{name}” has no polygons.</source>
            <translation>La couche « {name} » n'a pas de polygones.</translation>
        </message>
        <message>
            <source>everywhere</source>
            <translation>partout</translation>
        </message>
        <message>
            <source>Polygon layer to search in</source>
            <translation>Couche de polygones où chercher</translation>
        </message>
        <message>
            <source>W&amp;ithin</source>
            <translation>Da&amp;ns</translation>
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
            <source>Loading the models</source>
            <translation>Chargement des modèles</translation>
        </message>
        <message>
            <source>Asking where the words point</source>
            <translation>Recherche de ce que désignent les mots</translation>
        </message>
        <message>
            <source>Reading shapes and structure</source>
            <translation>Lecture des formes et des structures</translation>
        </message>
        <message>
            <source>Tracing outlines</source>
            <translation>Tracé des contours</translation>
        </message>
        <message>
            <source>Preparing the outlines</source>
            <translation>Préparation des contours</translation>
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
            <source>Show wh&amp;y</source>
            <translation>Montrer &amp;pourquoi</translation>
        </message>
        <message>
            <source>Adds maps of where the engine looked, for one area; not for a whole layer</source>
            <translation>Ajoute des cartes de là où le moteur a regardé, pour une zone ; pas pour une couche entière</translation>
        </message>
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
        <message>
            <source>The expression has {n} characters, and may have {most}. Say it in fewer words.</source>
            <translation>L’expression a {n} caractères, au plus {most} sont permis. Dites-le en moins de mots.</translation>
        </message>
    </context>
    <context>
        <name>RSGroundDock</name>
        <message>
            <source>The engine brought no maps of where it looked.</source>
            <translation>Le moteur n’a pas fourni de cartes de là où il a regardé.</translation>
        </message>
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
    <context>
        <name>BatchJob</name>
        <message>
            <source>Say at least one layer and one expression.</source>
            <translation>Indiquez au moins une couche et une expression.</translation>
        </message>
        <message>
            <source>The layer “{name}” cannot be read.</source>
            <translation>La couche « {name} » ne peut pas être lue.</translation>
        </message>
        <message>
            <source>“{name}” would take {n} tiles of its web service, and at most {most} are fetched in one go. Choose a smaller area or a coarser ground sample distance.</source>
            <translation>« {name} » demanderait {n} tuiles de son service web, et {most} au plus sont chargées à la fois. Choisissez une zone plus petite ou une résolution au sol plus grossière.</translation>
        </message>
    </context>
    <context>
        <name>LayerCopy</name>
        <message>
            <source>The layer “{name}” has no end: say which extent to search.</source>
            <translation>La couche « {name} » n'a pas de fin : indiquez l'emprise à fouiller.</translation>
        </message>
        <message>
            <source>whole layer</source>
            <translation>couche entière</translation>
        </message>
        <message>
            <source>The layer “{name}” has no resolution of its own: say the ground sample distance in metres.</source>
            <translation>La couche « {name} » n'a pas de résolution propre : indiquez la résolution au sol en mètres.</translation>
        </message>
        <message>
            <source>“{name}” is first copied as it is displayed: {width} × {height} pixels, at most {size} MB.</source>
            <translation>« {name} » est d'abord copiée telle qu'affichée : {width} × {height} pixels, {size} Mo au plus.</translation>
        </message>
        <message>
            <source>That is about {n} tiles of the web service.</source>
            <translation>Cela fait environ {n} tuiles du service web.</translation>
        </message>
        <message>
            <source>The copy may take {need} MB, and {folder} has {free} MB left. Choose a smaller extent.</source>
            <translation>La copie peut prendre {need} Mo, et il reste {free} Mo dans {folder}. Choisissez une emprise plus petite.</translation>
        </message>
        <message>
            <source>GDAL cannot write {path}: {reason}</source>
            <translation>GDAL ne peut pas écrire {path} : {reason}</translation>
        </message>
        <message>
            <source>The layer “{name}” shows nothing there: every pixel is nodata or transparent.</source>
            <translation>La couche « {name} » n'affiche rien ici : tous les pixels sont nodata ou transparents.</translation>
        </message>
        <message>
            <source>Parts of the web layer “{name}” are missing: {reason}.</source>
            <translation>Des parties de la couche web « {name} » manquent : {reason}.</translation>
        </message>
        <message>
            <source>The layer's alpha band was ignored: it does not look like a mask.</source>
            <translation>La bande alpha de la couche a été ignorée : elle ne ressemble pas à un masque.</translation>
        </message>
        <message>
            <source>The web layer “{name}” could not be fetched: {reason}. Check the connection and run again.</source>
            <translation>La couche web « {name} » n'a pas pu être chargée : {reason}. Vérifiez la connexion et relancez.</translation>
        </message>
        <message>
            <source>GDAL could not write the copy: {reason}</source>
            <translation>GDAL n'a pas pu écrire la copie : {reason}</translation>
        </message>
    </context>
    <context>
        <name>BatchRow</name>
        <message>
            <source>Progress of the whole-layer search</source>
            <translation>Progression de la recherche dans la couche entière</translation>
        </message>
        <message>
            <source>Cancel</source>
            <translation>Annuler</translation>
        </message>
        <message>
            <source>End the search; what was found so far stays, and can be continued</source>
            <translation>Termine la recherche ; ce qui est fait reste et peut être continué</translation>
        </message>
        <message>
            <source>Starting</source>
            <translation>Démarrage</translation>
        </message>
        <message>
            <source>Paused after {done} of {total} tiles, {n} found</source>
            <translation>En pause après {done} tuiles sur {total}, {n} trouvés</translation>
        </message>
        <message>
            <source>Stopping …</source>
            <translation>Arrêt …</translation>
        </message>
        <message>
            <source>{done} of {total} tiles, {n} found</source>
            <translation>{done} tuiles sur {total}, {n} trouvés</translation>
        </message>
        <message>
            <source>{time} left</source>
            <translation>encore {time}</translation>
        </message>
        <message>
            <source>Resume</source>
            <translation>Reprendre</translation>
        </message>
        <message>
            <source>Pause</source>
            <translation>Pause</translation>
        </message>
        <message>
            <source>Go on where it stopped</source>
            <translation>Continue là où elle s'est arrêtée</translation>
        </message>
        <message>
            <source>Stop for now; nothing done is lost</source>
            <translation>S'arrête pour l'instant ; rien n'est perdu</translation>
        </message>
    </context>
    <context>
        <name>BatchSearch</name>
        <message>
            <source>Copying the layer as displayed</source>
            <translation>Copie de la couche telle qu'affichée</translation>
        </message>
        <message>
            <source>Starting the server</source>
            <translation>Démarrage du serveur</translation>
        </message>
        <message>
            <source>Putting the tiles' objects together</source>
            <translation>Assemblage des objets des tuiles</translation>
        </message>
        <message>
            <source>Checking relations</source>
            <translation>Vérification des relations</translation>
        </message>
        <message>
            <source>Writing the results</source>
            <translation>Écriture des résultats</translation>
        </message>
        <message>
            <source>RSGround: {expression}</source>
            <translation>RSGround : {expression}</translation>
        </message>
        <message>
            <source>Found so far: {expression}</source>
            <translation>Trouvé jusqu'ici : {expression}</translation>
        </message>
        <message>
            <source>RSGround: planning a search</source>
            <translation>RSGround : planification d'une recherche</translation>
        </message>
        <message>
            <source>{n} tiles</source>
            <translation>{n} tuiles</translation>
        </message>
        <message>
            <source>, {n} of them done already</source>
            <translation>, dont {n} déjà faites</translation>
        </message>
        <message>
            <source>, about {time}</source>
            <translation>, environ {time}</translation>
        </message>
    </context>
    <context>
        <name>RSGroundProcessing</name>
        <message>
            <source>Set it up in RSGround's panel, or name an interpreter that has its packages in the variable {name}.</source>
            <translation>Installez-le dans le panneau de RSGround, ou indiquez dans la variable {name} un interpréteur qui a ses paquets.</translation>
        </message>
        <message>
            <source>Ground expressions in batch</source>
            <translation>Trouver des expressions par lots</translation>
        </message>
        <message>
            <source>Finds what expressions name in whole raster layers, resumable.</source>
            <translation>Trouve dans des couches raster entières ce que nomment des expressions ; peut être repris.</translation>
        </message>
        <message>
            <source>detect,segment,find,object,imagery,mosaic,tiles,resume</source>
            <translation>détecter,segmenter,trouver,objet,imagerie,mosaïque,tuiles,reprendre</translation>
        </message>
        <message>
            <source>Finds what expressions name in whole raster layers, tile by tile: objects on the tiles' seams come back whole, and relations (“the largest tank”, “houses within 50 m of the river”) hold over all of a layer.

Expressions: one a line, or separated by semicolons.
Area: an extent, polygons, or both; all of each layer unless told. A web map needs one.

The output is a GeoPackage with boxes, oriented boxes and masks of all expressions; the attribute “expression” tells them apart. It is the journal too: cancelled, or after a crash, the same call goes on where it stopped. Where it holds another search, the algorithm stops; tick “Start anew” to replace it.

Layers that are no plain image files (web maps, stretched or coloured rasters) are first copied as displayed, beside the output; the log says how many pixels and web tiles that takes.</source>
            <translation>Trouve dans des couches raster entières ce que nomment des expressions, tuile par tuile : les objets sur les coutures des tuiles reviennent entiers, et les relations (« the largest tank », « houses within 50 m of the river ») valent sur toute une couche.

Expressions : une par ligne, ou séparées par des points-virgules.
Zone : une emprise, des polygones, ou les deux ; chaque couche entière sauf indication. Une carte web en demande une.

La sortie est un GeoPackage avec les boîtes, boîtes orientées et masques de toutes les expressions ; l'attribut « expression » les distingue. C'est aussi le journal : après une annulation ou une panne, le même appel continue là où il s'est arrêté. Si elle contient une autre recherche, l'algorithme s'arrête ; cochez « Recommencer » pour la remplacer.

Les couches qui ne sont pas de simples fichiers image (cartes web, rasters étirés ou colorés) sont d'abord copiées telles qu'affichées, à côté de la sortie ; le journal d'exécution dit combien de pixels et de tuiles web cela prend.</translation>
        </message>
        <message>
            <source>Raster layers</source>
            <translation>Couches raster</translation>
        </message>
        <message>
            <source>Expressions, one a line</source>
            <translation>Expressions, une par ligne</translation>
        </message>
        <message>
            <source>Extent to search</source>
            <translation>Emprise à fouiller</translation>
        </message>
        <message>
            <source>Polygons to search in</source>
            <translation>Polygones où chercher</translation>
        </message>
        <message>
            <source>Least score</source>
            <translation>Score minimal</translation>
        </message>
        <message>
            <source>Engine</source>
            <translation>Moteur</translation>
        </message>
        <message>
            <source>Ground sample distance in metres (0: the layer's own)</source>
            <translation>Résolution au sol en mètres (0 : celle de la couche)</translation>
        </message>
        <message>
            <source>Start anew where the output holds another search</source>
            <translation>Recommencer si la sortie contient une autre recherche</translation>
        </message>
        <message>
            <source>Results (resumable)</source>
            <translation>Résultats (peuvent être repris)</translation>
        </message>
        <message>
            <source>GeoPackage files (*.gpkg)</source>
            <translation>Fichiers GeoPackage (*.gpkg)</translation>
        </message>
        <message>
            <source>Number of objects</source>
            <translation>Nombre d'objets</translation>
        </message>
        <message>
            <source>The expression is empty: say what to find, such as “the blue roofs”.</source>
            <translation>L'expression est vide : indiquez quoi trouver, par exemple « the blue roofs ».</translation>
        </message>
        <message>
            <source>The folder {path} does not exist.</source>
            <translation>Le dossier {path} n'existe pas.</translation>
        </message>
        <message>
            <source>Tick “Start anew” (RESTART) to replace it, or choose another output.</source>
            <translation>Cochez « Recommencer » (RESTART) pour la remplacer, ou choisissez une autre sortie.</translation>
        </message>
        <message>
            <source>The layer of polygons to search in is empty.</source>
            <translation>La couche des polygones où chercher est vide.</translation>
        </message>
        <message>
            <source>The extent and the polygons to search in do not meet.</source>
            <translation>L'emprise et les polygones où chercher ne se rencontrent pas.</translation>
        </message>
        <message>
            <source>“{expression}”: {n} objects</source>
            <translation>« {expression} » : {n} objets</translation>
        </message>
        <message>
            <source>Understood as: {words}</source>
            <translation>Compris comme : {words}</translation>
        </message>
        <message>
            <source>Nothing was found.</source>
            <translation>Rien n'a été trouvé.</translation>
        </message>
        <message>
            <source>Copying the layer as displayed</source>
            <translation>Copie de la couche telle qu'affichée</translation>
        </message>
        <message>
            <source>Starting the server</source>
            <translation>Démarrage du serveur</translation>
        </message>
        <message>
            <source>{total} tiles, {done} of them done already</source>
            <translation>{total} tuiles, dont {done} déjà faites</translation>
        </message>
        <message>
            <source>{done} of {total} tiles, {n} candidates</source>
            <translation>{done} tuiles sur {total}, {n} candidats</translation>
        </message>
        <message>
            <source>Putting the tiles' objects together</source>
            <translation>Assemblage des objets des tuiles</translation>
        </message>
        <message>
            <source>Export to COCO</source>
            <translation>Exporter vers COCO</translation>
        </message>
        <message>
            <source>Writes objects of a polygon layer as COCO JSON, in a raster's pixels.</source>
            <translation>Écrit les objets d'une couche de polygones en JSON COCO, dans les pixels d'un raster.</translation>
        </message>
        <message>
            <source>coco,json,training,annotation,mask,box,rle</source>
            <translation>coco,json,entraînement,annotation,masque,boîte,rle</translation>
        </message>
        <message>
            <source>Writes the polygons of a layer as COCO JSON, for people who train models: one image (the raster), and for each object its box, its mask as run lengths, and its category.

Categories are the values of a field: “label” (what the engine takes the object for) or “expression” (what was asked) of RSGround's results, or any field of another layer. The score is written where there is one.

Objects outside of the raster, or smaller than a pixel, are left out and counted.</source>
            <translation>Écrit les polygones d'une couche en JSON COCO, pour qui entraîne des modèles : une image (le raster), et pour chaque objet sa boîte, son masque en longueurs de plages et sa catégorie.

Les catégories sont les valeurs d'un champ : « label » (ce pour quoi le moteur prend l'objet) ou « expression » (ce qui a été demandé) des résultats de RSGround, ou n'importe quel champ d'une autre couche. Le score est écrit s'il y en a un.

Les objets hors du raster, ou plus petits qu'un pixel, sont omis et comptés.</translation>
        </message>
        <message>
            <source>Objects (masks or boxes)</source>
            <translation>Objets (masques ou boîtes)</translation>
        </message>
        <message>
            <source>Image that the objects lie on</source>
            <translation>Image sur laquelle se trouvent les objets</translation>
        </message>
        <message>
            <source>Field of the category</source>
            <translation>Champ de la catégorie</translation>
        </message>
        <message>
            <source>Field of the score</source>
            <translation>Champ du score</translation>
        </message>
        <message>
            <source>COCO file</source>
            <translation>Fichier COCO</translation>
        </message>
        <message>
            <source>COCO files (*.json)</source>
            <translation>Fichiers COCO (*.json)</translation>
        </message>
        <message>
            <source>The layer has no field “{name}”; it has {names}.</source>
            <translation>La couche n'a pas de champ « {name} » ; elle a {names}.</translation>
        </message>
        <message>
            <source>{path} could not be written: {why}</source>
            <translation>{path} n'a pas pu être écrit : {why}</translation>
        </message>
        <message>
            <source>{n} objects lie outside of the raster or cover no pixel: left out.</source>
            <translation>{n} objets sont hors du raster ou ne couvrent aucun pixel : omis.</translation>
        </message>
        <message>
            <source>Ground expression</source>
            <translation>Trouver une expression</translation>
        </message>
        <message>
            <source>Finds what an expression names in a raster layer.</source>
            <translation>Trouve dans une couche raster ce que nomme une expression.</translation>
        </message>
        <message>
            <source>detect,segment,find,object,imagery,referring expression,language,ai</source>
            <translation>détecter,segmenter,trouver,objet,imagerie,expression,langage,ia</translation>
        </message>
        <message>
            <source>Finds what an expression names in a raster layer: “the white tanks left of the road”.

The layer may be a file, a web map or a virtual raster; it is searched as it is displayed, with its bands, stretch and palette. Left and right are those of the north-up raster.

Extent: all of the layer unless told. A web map needs one.
Ground sample distance: metres a pixel; the layer's own unless told. Coarser is faster and loses small things.

Areas larger than a tile of the options are searched in tiles, as “Ground expressions in batch” does. Name a journal to continue such a search after it was cancelled.

The three outputs hold the same objects, linked by the attribute “id”. When nothing is found they are empty, and the log and the output REASON say which part of the expression found nothing.

Everything is computed on this machine.</source>
            <translation>Trouve dans une couche raster ce que nomme une expression : « the white tanks left of the road ». Les expressions sont en anglais.

La couche peut être un fichier, une carte web ou un raster virtuel ; elle est fouillée telle qu'affichée, avec ses bandes, son étirement et sa palette. Gauche et droite sont celles du raster, nord en haut.

Emprise : toute la couche sauf indication. Une carte web en demande une.
Résolution au sol : mètres par pixel ; celle de la couche sauf indication. Plus grossière, elle est plus rapide et perd les petites choses.

Les zones plus grandes qu'une tuile des options sont fouillées par tuiles, comme le fait « Trouver des expressions par lots ». Indiquez un journal pour continuer une telle recherche après une annulation.

Les trois sorties contiennent les mêmes objets, liés par l'attribut « id ». Si rien n'est trouvé, elles sont vides, et le journal d'exécution et la sortie REASON disent quelle partie de l'expression n'a rien trouvé.

Tout est calculé sur cette machine.</translation>
        </message>
        <message>
            <source>Raster layer</source>
            <translation>Couche raster</translation>
        </message>
        <message>
            <source>Expression (what to find)</source>
            <translation>Expression (quoi trouver)</translation>
        </message>
        <message>
            <source>Journal, to continue a large search that was cancelled</source>
            <translation>Journal, pour continuer une grande recherche annulée</translation>
        </message>
        <message>
            <source>Boxes</source>
            <translation>Boîtes</translation>
        </message>
        <message>
            <source>Oriented boxes</source>
            <translation>Boîtes orientées</translation>
        </message>
        <message>
            <source>Masks</source>
            <translation>Masques</translation>
        </message>
        <message>
            <source>How the expression was read</source>
            <translation>Comment l'expression a été lue</translation>
        </message>
        <message>
            <source>Why nothing was found</source>
            <translation>Pourquoi rien n'a été trouvé</translation>
        </message>
        <message>
            <source>Choose at least one output: boxes, oriented boxes or masks.</source>
            <translation>Choisissez au moins une sortie : boîtes, boîtes orientées ou masques.</translation>
        </message>
        <message>
            <source>Reading the layer</source>
            <translation>Lecture de la couche</translation>
        </message>
        <message>
            <source>{n} objects found</source>
            <translation>{n} objets trouvés</translation>
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
            <source>{path} cannot be opened as a result.</source>
            <translation>{path} ne peut pas être ouvert comme résultat.</translation>
        </message>
        <message>
            <source>An object could not be written: {why}</source>
            <translation>Un objet n'a pas pu être écrit : {why}</translation>
        </message>
    </context>
    <context>
        <name>RSGroundProvider</name>
        <message>
            <source>RSGround: things in imagery from a sentence</source>
            <translation>RSGround : des choses dans l'imagerie, à partir d'une phrase</translation>
        </message>
    </context>
    <context>
        <name>WholeLayer</name>
        <message>
            <source>The result is kept in {path}</source>
            <translation>Le résultat est conservé dans {path}</translation>
        </message>
        <message>
            <source>Start anew? What that file holds is replaced.</source>
            <translation>Recommencer ? Le contenu de ce fichier est remplacé.</translation>
        </message>
        <message>
            <source>Stopped. What was searched is kept: ask the same again to continue.</source>
            <translation>Arrêtée. Ce qui a été fouillé est gardé : reposez la même question pour continuer.</translation>
        </message>
    </context>
    <context>
        <name>ExplanationLayers</name>
        <message>
            <source>How well it fits</source>
            <translation>Degré de correspondance</translation>
        </message>
        <message>
            <source>How likely it is</source>
            <translation>Probabilité</translation>
        </message>
        <message>
            <source>1 Where the words point (A_C)</source>
            <translation>1 Ce que les mots désignent (A_C)</translation>
        </message>
        <message>
            <source>2 What belongs to it (A_CS)</source>
            <translation>2 Ce qui en fait partie (A_CS)</translation>
        </message>
        <message>
            <source>3 What grew from it (A_E)</source>
            <translation>3 Ce qui en est issu (A_E)</translation>
        </message>
    </context>
    <context>
        <name>WeightsBox</name>
        <message>
            <source>Weights of large models</source>
            <translation>Poids de grands modèles</translation>
        </message>
        <message>
            <source>In the user&apos;s cache folder</source>
            <translation>Dans le dossier de cache de l’utilisateur</translation>
        </message>
        <message>
            <source>The built-in engine needs none.</source>
            <translation>Le moteur intégré n’en a pas besoin.</translation>
        </message>
        <message>
            <source>Get</source>
            <translation>Obtenir</translation>
        </message>
        <message>
            <source>Stop</source>
            <translation>Arrêter</translation>
        </message>
        <message>
            <source>Kept in</source>
            <translation>Conservés dans</translation>
        </message>
        <message>
            <source>Weights</source>
            <translation>Poids</translation>
        </message>
        <message>
            <source>RSGround: listing weights</source>
            <translation>RSGround : liste des poids</translation>
        </message>
        <message>
            <source>RSGround: downloading {name}</source>
            <translation>RSGround : téléchargement de {name}</translation>
        </message>
        <message>
            <source>Starting</source>
            <translation>Démarrage</translation>
        </message>
        <message>
            <source>Download {name}, {size}?

Licence: {licence}. By downloading you agree to it; read it at https://huggingface.co/{name} first.</source>
            <translation>Télécharger {name}, {size} ?

Licence : {licence}. En téléchargeant, vous l’acceptez ; lisez-la d’abord sur https://huggingface.co/{name}.</translation>
        </message>
        <message>
            <source>It is here.</source>
            <translation>Ils sont là.</translation>
        </message>
        <message>
            <source>It is missing.</source>
            <translation>Ils manquent.</translation>
        </message>
        <message>
            <source>A part of it is here; the download goes on from there.</source>
            <translation>Une partie est là ; le téléchargement reprendra à cet endroit.</translation>
        </message>
        <message>
            <source>{state} {size}, licence {licence}, for {engines}.</source>
            <translation>{state} {size}, licence {licence}, pour {engines}.</translation>
        </message>
        <message>
            <source> (default)</source>
            <translation> (par défaut)</translation>
        </message>
    </context>
</TS>
