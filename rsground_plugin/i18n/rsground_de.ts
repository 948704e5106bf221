<?xml version="1.0" encoding="utf-8"?>
<!DOCTYPE TS>
<TS version="2.1" language="de" sourcelanguage="en">
    <context>
        <name>AreaChooser</name>
        <message>
            <source>&amp;Visible</source>
            <translation>&amp;Sichtbar</translation>
        </message>
        <message>
            <source>Search what the map shows</source>
            <translation>Durchsucht, was die Karte zeigt</translation>
        </message>
        <message>
            <source>&amp;Rectangle</source>
            <translation>&amp;Rechteck</translation>
        </message>
        <message>
            <source>Draw a rectangle on the map and search it</source>
            <translation>Ein Rechteck auf der Karte aufziehen und durchsuchen</translation>
        </message>
        <message>
            <source>&amp;Selection</source>
            <translation>&amp;Auswahl</translation>
        </message>
        <message>
            <source>Search inside the selected polygons of any polygon layer</source>
            <translation>Durchsucht die ausgewählten Polygone eines Polygonlayers</translation>
        </message>
        <message>
            <source>Draw a rectangle on the map first.</source>
            <translation>Zuerst ein Rechteck auf der Karte aufziehen.</translation>
        </message>
        <message>
            <source>Select one or more polygons on the map first.</source>
            <translation>Zuerst ein oder mehrere Polygone auf der Karte auswählen.</translation>
        </message>
        <message>
            <source>&amp;Whole layer</source>
            <translation>&amp;Ganzer Layer</translation>
        </message>
        <message>
            <source>Search all of the layer at its own resolution, tile by tile</source>
            <translation>Durchsucht den ganzen Layer in seiner eigenen Auflösung, Kachel für Kachel</translation>
        </message>
        <message>
            <source>The layer “{name}” has no polygons.</source>
            <translation>Der Layer „{name}“ hat keine Polygone.</translation>
        </message>
        <message>
            <source>everywhere</source>
            <translation>überall</translation>
        </message>
        <message>
            <source>Polygon layer to search in</source>
            <translation>Polygonlayer, in dem gesucht wird</translation>
        </message>
        <message>
            <source>W&amp;ithin</source>
            <translation>I&amp;n</translation>
        </message>
    </context>
    <context>
        <name>DetectionsModel</name>
        <message>
            <source>Score</source>
            <translation>Wert</translation>
        </message>
        <message>
            <source>Label</source>
            <translation>Bezeichnung</translation>
        </message>
        <message>
            <source>Area</source>
            <translation>Fläche</translation>
        </message>
        <message>
            <source>Length</source>
            <translation>Länge</translation>
        </message>
        <message>
            <source>Azim.</source>
            <translation>Azim.</translation>
        </message>
        <message>
            <source>Azimuth: direction of the long axis, clockwise from true north</source>
            <translation>Azimut: Richtung der langen Achse, im Uhrzeigersinn von geografisch Nord</translation>
        </message>
        <message>
            <source>Length of the long side of the oriented box</source>
            <translation>Länge der langen Seite des ausgerichteten Rechtecks</translation>
        </message>
        <message>
            <source>A reference of the expression: relations were checked against it</source>
            <translation>Ein Bezugsobjekt des Ausdrucks: Lagebeziehungen wurden daran geprüft</translation>
        </message>
        <message>
            <source>Click: show on the map. Double click: open its attributes</source>
            <translation>Klick: auf der Karte zeigen. Doppelklick: Attribute öffnen</translation>
        </message>
        <message>
            <source>ref.</source>
            <translation>Bezug</translation>
        </message>
    </context>
    <context>
        <name>DrawnResults</name>
        <message>
            <source>Export the result</source>
            <translation>Ergebnis exportieren</translation>
        </message>
        <message>
            <source>These files exist. Replace them?</source>
            <translation>Diese Dateien gibt es schon. Ersetzen?</translation>
        </message>
        <message>
            <source>RSGround: exporting to {name}</source>
            <translation>RSGround: Export nach {name}</translation>
        </message>
    </context>
    <context>
        <name>EngineChooser</name>
        <message>
            <source>Engine</source>
            <translation>Verfahren</translation>
        </message>
        <message>
            <source>Built-in engine</source>
            <translation>Eingebautes Verfahren</translation>
        </message>
        <message>
            <source>{title} (not available)</source>
            <translation>{title} (nicht verfügbar)</translation>
        </message>
        <message>
            <source>No download, no GPU, no account.</source>
            <translation>Kein Download, keine GPU, kein Konto.</translation>
        </message>
        <message>
            <source>boxes</source>
            <translation>Rechtecke</translation>
        </message>
        <message>
            <source>oriented boxes</source>
            <translation>ausgerichtete Rechtecke</translation>
        </message>
        <message>
            <source>masks</source>
            <translation>Masken</translation>
        </message>
        <message>
            <source>Gives {what}. {needs}</source>
            <translation>Liefert {what}. {needs}</translation>
        </message>
    </context>
    <context>
        <name>ExpressionLine</name>
        <message>
            <source>What to find, e.g. {example}</source>
            <translation>Was gesucht wird, z. B. {example}</translation>
        </message>
        <message>
            <source>Expression: what to find</source>
            <translation>Ausdruck: was gesucht wird</translation>
        </message>
        <message>
            <source>History</source>
            <translation>Verlauf</translation>
        </message>
        <message>
            <source>Earlier queries: click one to run it again</source>
            <translation>Frühere Abfragen: ein Klick führt sie erneut aus</translation>
        </message>
        <message>
            <source>Run again. {n} found on {when} with engine {engine}</source>
            <translation>Erneut ausführen. {n} gefunden am {when} mit Verfahren {engine}</translation>
        </message>
        <message>
            <source>No queries yet</source>
            <translation>Noch keine Abfragen</translation>
        </message>
        <message>
            <source>Clear the history</source>
            <translation>Verlauf löschen</translation>
        </message>
    </context>
    <context>
        <name>MessageArea</name>
        <message>
            <source>Details of the message</source>
            <translation>Einzelheiten der Meldung</translation>
        </message>
        <message>
            <source>Details</source>
            <translation>Einzelheiten</translation>
        </message>
        <message>
            <source>Copy</source>
            <translation>Kopieren</translation>
        </message>
        <message>
            <source>Copy the message and its details</source>
            <translation>Meldung und Einzelheiten kopieren</translation>
        </message>
        <message>
            <source>Close the message</source>
            <translation>Meldung schließen</translation>
        </message>
    </context>
    <context>
        <name>ProgressRow</name>
        <message>
            <source>Drawing the tile</source>
            <translation>Bildausschnitt wird gezeichnet</translation>
        </message>
        <message>
            <source>Starting the server</source>
            <translation>Server wird gestartet</translation>
        </message>
        <message>
            <source>Sending the tile</source>
            <translation>Bildausschnitt wird gesendet</translation>
        </message>
        <message>
            <source>Looking at the image</source>
            <translation>Bild wird betrachtet</translation>
        </message>
        <message>
            <source>Dividing the image into regions</source>
            <translation>Bild wird in Regionen geteilt</translation>
        </message>
        <message>
            <source>Measuring regions</source>
            <translation>Regionen werden vermessen</translation>
        </message>
        <message>
            <source>Looking for candidates</source>
            <translation>Kandidaten werden gesucht</translation>
        </message>
        <message>
            <source>Loading the models</source>
            <translation>Modelle werden geladen</translation>
        </message>
        <message>
            <source>Asking where the words point</source>
            <translation>Wohin die Worte weisen, wird gefragt</translation>
        </message>
        <message>
            <source>Reading shapes and structure</source>
            <translation>Formen und Strukturen werden gelesen</translation>
        </message>
        <message>
            <source>Tracing outlines</source>
            <translation>Umrisse werden gezogen</translation>
        </message>
        <message>
            <source>Preparing the outlines</source>
            <translation>Umrisse werden vorbereitet</translation>
        </message>
        <message>
            <source>Checking relations</source>
            <translation>Lagebeziehungen werden geprüft</translation>
        </message>
        <message>
            <source>Measuring what was found</source>
            <translation>Funde werden vermessen</translation>
        </message>
        <message>
            <source>Writing the results</source>
            <translation>Ergebnisse werden geschrieben</translation>
        </message>
        <message>
            <source>Progress of the query</source>
            <translation>Fortschritt der Abfrage</translation>
        </message>
    </context>
    <context>
        <name>QueryForm</name>
        <message>
            <source>Show wh&amp;y</source>
            <translation>&amp;Warum zeigen</translation>
        </message>
        <message>
            <source>Adds maps of where the engine looked, for one area; not for a whole layer</source>
            <translation>Fügt Karten hinzu, wohin das Verfahren geschaut hat, für einen Bereich; nicht für einen ganzen Layer</translation>
        </message>
        <message>
            <source>Raster layer to search</source>
            <translation>Zu durchsuchender Rasterlayer</translation>
        </message>
        <message>
            <source>&amp;Boxes</source>
            <translation>Recht&amp;ecke</translation>
        </message>
        <message>
            <source>&amp;Oriented</source>
            <translation>A&amp;usgerichtete</translation>
        </message>
        <message>
            <source>&amp;Masks</source>
            <translation>&amp;Masken</translation>
        </message>
        <message>
            <source>Boxes along the screen</source>
            <translation>Rechtecke entlang des Bildschirms</translation>
        </message>
        <message>
            <source>Boxes along the object</source>
            <translation>Rechtecke entlang des Objekts</translation>
        </message>
        <message>
            <source>The object's outline, with its holes</source>
            <translation>Der Umriss des Objekts, mit seinen Löchern</translation>
        </message>
        <message>
            <source>&amp;Layer</source>
            <translation>&amp;Layer</translation>
        </message>
        <message>
            <source>&amp;Area</source>
            <translation>&amp;Bereich</translation>
        </message>
        <message>
            <source>Draw</source>
            <translation>Zeichnen</translation>
        </message>
        <message>
            <source>En&amp;gine</source>
            <translation>Ve&amp;rfahren</translation>
        </message>
        <message>
            <source>Add a raster layer to the project first: an image file, or a web map.</source>
            <translation>Zuerst einen Rasterlayer zum Projekt hinzufügen: eine Bilddatei oder eine Webkarte.</translation>
        </message>
        <message>
            <source>The layer “{name}” cannot be read: its source is broken.</source>
            <translation>Der Layer „{name}“ kann nicht gelesen werden: Seine Quelle ist defekt.</translation>
        </message>
        <message>
            <source>Type what to find first.</source>
            <translation>Zuerst eingeben, was gesucht wird.</translation>
        </message>
        <message>
            <source>Tick at least one of boxes, oriented boxes and masks.</source>
            <translation>Mindestens eines von Rechtecken, ausgerichteten Rechtecken und Masken ankreuzen.</translation>
        </message>
        <message>
            <source>&amp;Cancel</source>
            <translation>&amp;Abbrechen</translation>
        </message>
        <message>
            <source>&amp;Find</source>
            <translation>&amp;Finden</translation>
        </message>
        <message>
            <source>Stop the query (Esc)</source>
            <translation>Abfrage abbrechen (Esc)</translation>
        </message>
        <message>
            <source>Run the query (Enter)</source>
            <translation>Abfrage ausführen (Eingabe)</translation>
        </message>
        <message>
            <source>Stopping</source>
            <translation>Wird beendet</translation>
        </message>
        <message>
            <source>The expression has {n} characters, and may have {most}. Say it in fewer words.</source>
            <translation>Der Ausdruck hat {n} Zeichen, erlaubt sind {most}. Bitte kürzer fassen.</translation>
        </message>
    </context>
    <context>
        <name>RSGroundDock</name>
        <message>
            <source>The engine brought no maps of where it looked.</source>
            <translation>Das Verfahren hat keine Karten davon, wohin es geschaut hat.</translation>
        </message>
        <message>
            <source>Saved to {path}</source>
            <translation>Gespeichert in {path}</translation>
        </message>
        <message>
            <source>RSGround: {expression}</source>
            <translation>RSGround: {expression}</translation>
        </message>
        <message>
            <source>RSGround: starting its server</source>
            <translation>RSGround: Server wird gestartet</translation>
        </message>
        <message>
            <source>Stopped. Nothing was drawn.</source>
            <translation>Abgebrochen. Es wurde nichts gezeichnet.</translation>
        </message>
        <message>
            <source>The layer “{name}” was removed while the query ran; the result was kept.</source>
            <translation>Der Layer „{name}“ wurde während der Abfrage entfernt; das Ergebnis blieb erhalten.</translation>
        </message>
        <message>
            <source>Nothing was found.</source>
            <translation>Nichts gefunden.</translation>
        </message>
        <message>
            <source>All that was found scores below the slider: move it to the left to see it.</source>
            <translation>Alle Funde liegen unter dem Regler: nach links schieben, um sie zu sehen.</translation>
        </message>
        <message>
            <source>The project was closed while the query ran, so nothing was drawn.</source>
            <translation>Das Projekt wurde während der Abfrage geschlossen, daher wurde nichts gezeichnet.</translation>
        </message>
        <message>
            <source>The result is kept in {path}</source>
            <translation>Das Ergebnis liegt in {path}</translation>
        </message>
        <message>
            <source>RSGround's options</source>
            <translation>Optionen von RSGround</translation>
        </message>
    </context>
    <context>
        <name>RSGroundPlugin</name>
        <message>
            <source>Find things in imagery from a sentence</source>
            <translation>Dinge in Bildern finden, aus einem Satz</translation>
        </message>
        <message>
            <source>Options …</source>
            <translation>Optionen …</translation>
        </message>
    </context>
    <context>
        <name>ResultLayers</name>
        <message>
            <source>Masks</source>
            <translation>Masken</translation>
        </message>
        <message>
            <source>Oriented boxes</source>
            <translation>Ausgerichtete Rechtecke</translation>
        </message>
        <message>
            <source>Boxes</source>
            <translation>Rechtecke</translation>
        </message>
        <message>
            <source>References</source>
            <translation>Bezugsobjekte</translation>
        </message>
    </context>
    <context>
        <name>ResultsList</name>
        <message>
            <source>Results</source>
            <translation>Ergebnisse</translation>
        </message>
        <message>
            <source>Score</source>
            <translation>Wert</translation>
        </message>
    </context>
    <context>
        <name>ResultsPane</name>
        <message>
            <source>Minimum score</source>
            <translation>Mindestwert</translation>
        </message>
        <message>
            <source>Hide what scores less, in the list and on the map</source>
            <translation>Blendet aus, was darunter liegt, in der Liste und auf der Karte</translation>
        </message>
        <message>
            <source>Sc&amp;ore ≥</source>
            <translation>W&amp;ert ≥</translation>
        </message>
        <message>
            <source>E&amp;xport</source>
            <translation>E&amp;xport</translation>
        </message>
        <message>
            <source>Save what the list shows to a file</source>
            <translation>Speichert, was die Liste zeigt, in eine Datei</translation>
        </message>
        <message>
            <source>Understood as: {words}</source>
            <translation>Verstanden als: {words}</translation>
        </message>
        <message>
            <source>{seconds:.1f} s, {engine}</source>
            <translation>{seconds:.1f} s, {engine}</translation>
        </message>
        <message>
            <source>No results yet</source>
            <translation>Noch keine Ergebnisse</translation>
        </message>
        <message>
            <source>{n} found</source>
            <translation>{n} gefunden</translation>
        </message>
        <message>
            <source>{shown} of {n} shown</source>
            <translation>{shown} von {n} gezeigt</translation>
        </message>
    </context>
    <context>
        <name>SettingsPage</name>
        <message>
            <source>Python environment of the server</source>
            <translation>Python-Umgebung des Servers</translation>
        </message>
        <message>
            <source>Set up anew</source>
            <translation>Neu einrichten</translation>
        </message>
        <message>
            <source>Remove</source>
            <translation>Entfernen</translation>
        </message>
        <message>
            <source>Open the log</source>
            <translation>Protokoll öffnen</translation>
        </message>
        <message>
            <source>QGIS's own, or the newest suitable one</source>
            <translation>Das von QGIS oder das neueste geeignete</translation>
        </message>
        <message>
            <source>Python to make it from</source>
            <translation>Python, aus dem sie entsteht</translation>
        </message>
        <message>
            <source>The environment above</source>
            <translation>Die Umgebung oben</translation>
        </message>
        <message>
            <source>Interpreter to use instead</source>
            <translation>Stattdessen zu verwendender Interpreter</translation>
        </message>
        <message>
            <source>Made from Python</source>
            <translation>Erstellt aus Python</translation>
        </message>
        <message>
            <source>Use instead</source>
            <translation>Stattdessen verwenden</translation>
        </message>
        <message>
            <source>A server that is already running</source>
            <translation>Ein bereits laufender Server</translation>
        </message>
        <message>
            <source>Empty: RSGround starts its own</source>
            <translation>Leer: RSGround startet seinen eigenen</translation>
        </message>
        <message>
            <source>The token is kept in QGIS's encrypted authentication database; without a master password it is forgotten when QGIS ends.</source>
            <translation>Das Token liegt in der verschlüsselten Authentifizierungsdatenbank von QGIS; ohne Hauptpasswort wird es beim Beenden vergessen.</translation>
        </message>
        <message>
            <source>Address</source>
            <translation>Adresse</translation>
        </message>
        <message>
            <source>Token</source>
            <translation>Token</translation>
        </message>
        <message>
            <source>Queries</source>
            <translation>Abfragen</translation>
        </message>
        <message>
            <source> pixels</source>
            <translation> Pixel</translation>
        </message>
        <message>
            <source>A larger area is sampled coarser, so that memory and time stay bounded</source>
            <translation>Größere Bereiche werden gröber abgetastet, damit Speicher und Zeit begrenzt bleiben</translation>
        </message>
        <message>
            <source> minutes</source>
            <translation> Minuten</translation>
        </message>
        <message>
            <source>never</source>
            <translation>nie</translation>
        </message>
        <message>
            <source>Beside the project, or in the profile</source>
            <translation>Neben dem Projekt oder im Profil</translation>
        </message>
        <message>
            <source>Largest tile, edge</source>
            <translation>Größter Ausschnitt, Kante</translation>
        </message>
        <message>
            <source>Free an idle engine's memory after</source>
            <translation>Speicher eines ruhenden Verfahrens freigeben nach</translation>
        </message>
        <message>
            <source>Results go to</source>
            <translation>Ergebnisse nach</translation>
        </message>
        <message>
            <source>Ready, in {folder}</source>
            <translation>Bereit, in {folder}</translation>
        </message>
        <message>
            <source>Not set up yet; it goes to {folder}</source>
            <translation>Noch nicht eingerichtet; kommt nach {folder}</translation>
        </message>
        <message>
            <source>Its making was interrupted: set it up anew. It goes to {folder}</source>
            <translation>Die Einrichtung wurde unterbrochen: neu einrichten. Kommt nach {folder}</translation>
        </message>
        <message>
            <source>Made for another version: set it up anew. It goes to {folder}</source>
            <translation>Für eine andere Version eingerichtet: neu einrichten. Kommt nach {folder}</translation>
        </message>
        <message>
            <source>Set up</source>
            <translation>Einrichten</translation>
        </message>
        <message>
            <source>RSGround's Python environment</source>
            <translation>Python-Umgebung von RSGround</translation>
        </message>
        <message>
            <source>RSGround: removing its environment</source>
            <translation>RSGround: Umgebung wird entfernt</translation>
        </message>
        <message>
            <source>The environment was removed.</source>
            <translation>Die Umgebung wurde entfernt.</translation>
        </message>
        <message>
            <source>There is no log yet: the server was not started.</source>
            <translation>Noch kein Protokoll: Der Server wurde nicht gestartet.</translation>
        </message>
    </context>
    <context>
        <name>SetupCard</name>
        <message>
            <source>It is made once, about {size} MB on disk, downloaded from the Python package index. QGIS's own Python is left alone.</source>
            <translation>Sie wird einmal eingerichtet, etwa {size} MB auf der Platte, geladen vom Python-Paketverzeichnis. Das Python von QGIS bleibt unberührt.</translation>
        </message>
        <message>
            <source>&amp;Set up</source>
            <translation>&amp;Einrichten</translation>
        </message>
        <message>
            <source>Cancel</source>
            <translation>Abbrechen</translation>
        </message>
        <message>
            <source>RSGround: setting up its Python environment</source>
            <translation>RSGround: Python-Umgebung wird eingerichtet</translation>
        </message>
        <message>
            <source>Starting</source>
            <translation>Beginnt</translation>
        </message>
        <message>
            <source>Cancelling</source>
            <translation>Wird abgebrochen</translation>
        </message>
    </context>
    <context>
        <name>BatchJob</name>
        <message>
            <source>Say at least one layer and one expression.</source>
            <translation>Mindestens einen Layer und einen Ausdruck angeben.</translation>
        </message>
        <message>
            <source>The layer “{name}” cannot be read.</source>
            <translation>Der Layer „{name}“ kann nicht gelesen werden.</translation>
        </message>
        <message>
            <source>“{name}” would take {n} tiles of its web service, and at most {most} are fetched in one go. Choose a smaller area or a coarser ground sample distance.</source>
            <translation>„{name}“ bräuchte {n} Kacheln des Webdienstes; auf einmal werden höchstens {most} geholt. Ein kleineres Gebiet oder eine gröbere Bodenauflösung wählen.</translation>
        </message>
    </context>
    <context>
        <name>LayerCopy</name>
        <message>
            <source>The layer “{name}” has no end: say which extent to search.</source>
            <translation>Der Layer „{name}“ hat kein Ende: eine Ausdehnung angeben.</translation>
        </message>
        <message>
            <source>whole layer</source>
            <translation>ganzer Layer</translation>
        </message>
        <message>
            <source>The layer “{name}” has no resolution of its own: say the ground sample distance in metres.</source>
            <translation>Der Layer „{name}“ hat keine eigene Auflösung: die Bodenauflösung in Metern angeben.</translation>
        </message>
        <message>
            <source>“{name}” is first copied as it is displayed: {width} × {height} pixels, at most {size} MB.</source>
            <translation>„{name}“ wird zuerst so kopiert, wie er dargestellt ist: {width} × {height} Pixel, höchstens {size} MB.</translation>
        </message>
        <message>
            <source>That is about {n} tiles of the web service.</source>
            <translation>Das sind etwa {n} Kacheln des Webdienstes.</translation>
        </message>
        <message>
            <source>The copy may take {need} MB, and {folder} has {free} MB left. Choose a smaller extent.</source>
            <translation>Die Kopie kann {need} MB brauchen, und in {folder} sind {free} MB frei. Eine kleinere Ausdehnung wählen.</translation>
        </message>
        <message>
            <source>GDAL cannot write {path}: {reason}</source>
            <translation>GDAL kann {path} nicht schreiben: {reason}</translation>
        </message>
        <message>
            <source>The layer “{name}” shows nothing there: every pixel is nodata or transparent.</source>
            <translation>Der Layer „{name}“ zeigt dort nichts: Alle Pixel sind Nodata oder durchsichtig.</translation>
        </message>
        <message>
            <source>Parts of the web layer “{name}” are missing: {reason}.</source>
            <translation>Teile des Weblayers „{name}“ fehlen: {reason}.</translation>
        </message>
        <message>
            <source>The layer's alpha band was ignored: it does not look like a mask.</source>
            <translation>Der Alphakanal des Layers wurde nicht beachtet: Er sieht nicht wie eine Maske aus.</translation>
        </message>
        <message>
            <source>The web layer “{name}” could not be fetched: {reason}. Check the connection and run again.</source>
            <translation>Der Weblayer „{name}“ konnte nicht geholt werden: {reason}. Die Verbindung prüfen und noch einmal starten.</translation>
        </message>
        <message>
            <source>GDAL could not write the copy: {reason}</source>
            <translation>GDAL konnte die Kopie nicht schreiben: {reason}</translation>
        </message>
    </context>
    <context>
        <name>BatchRow</name>
        <message>
            <source>Progress of the whole-layer search</source>
            <translation>Fortschritt der Suche im ganzen Layer</translation>
        </message>
        <message>
            <source>Cancel</source>
            <translation>Abbrechen</translation>
        </message>
        <message>
            <source>End the search; what was found so far stays, and can be continued</source>
            <translation>Beendet die Suche; das bisher Durchsuchte bleibt und kann fortgesetzt werden</translation>
        </message>
        <message>
            <source>Starting</source>
            <translation>Beginnt</translation>
        </message>
        <message>
            <source>Paused after {done} of {total} tiles, {n} found</source>
            <translation>Angehalten nach {done} von {total} Kacheln, {n} gefunden</translation>
        </message>
        <message>
            <source>Stopping …</source>
            <translation>Hält an …</translation>
        </message>
        <message>
            <source>{done} of {total} tiles, {n} found</source>
            <translation>{done} von {total} Kacheln, {n} gefunden</translation>
        </message>
        <message>
            <source>{time} left</source>
            <translation>noch {time}</translation>
        </message>
        <message>
            <source>Resume</source>
            <translation>Fortsetzen</translation>
        </message>
        <message>
            <source>Pause</source>
            <translation>Pause</translation>
        </message>
        <message>
            <source>Go on where it stopped</source>
            <translation>Macht weiter, wo angehalten wurde</translation>
        </message>
        <message>
            <source>Stop for now; nothing done is lost</source>
            <translation>Hält vorerst an; nichts geht verloren</translation>
        </message>
    </context>
    <context>
        <name>BatchSearch</name>
        <message>
            <source>Copying the layer as displayed</source>
            <translation>Kopiert den Layer, wie er dargestellt ist</translation>
        </message>
        <message>
            <source>Starting the server</source>
            <translation>Startet den Server</translation>
        </message>
        <message>
            <source>Putting the tiles' objects together</source>
            <translation>Fügt die Objekte der Kacheln zusammen</translation>
        </message>
        <message>
            <source>Checking relations</source>
            <translation>Prüft Beziehungen</translation>
        </message>
        <message>
            <source>Writing the results</source>
            <translation>Schreibt die Ergebnisse</translation>
        </message>
        <message>
            <source>RSGround: {expression}</source>
            <translation>RSGround: {expression}</translation>
        </message>
        <message>
            <source>Found so far: {expression}</source>
            <translation>Bisher gefunden: {expression}</translation>
        </message>
        <message>
            <source>RSGround: planning a search</source>
            <translation>RSGround: plant eine Suche</translation>
        </message>
        <message>
            <source>{n} tiles</source>
            <translation>{n} Kacheln</translation>
        </message>
        <message>
            <source>, {n} of them done already</source>
            <translation>, davon {n} schon durchsucht</translation>
        </message>
        <message>
            <source>, about {time}</source>
            <translation>, etwa {time}</translation>
        </message>
    </context>
    <context>
        <name>RSGroundProcessing</name>
        <message>
            <source>Set it up in RSGround's panel, or name an interpreter that has its packages in the variable {name}.</source>
            <translation>Im Panel von RSGround einrichten, oder in der Variablen {name} einen Interpreter nennen, der die Pakete hat.</translation>
        </message>
        <message>
            <source>Ground expressions in batch</source>
            <translation>Ausdrücke im Stapel finden</translation>
        </message>
        <message>
            <source>Finds what expressions name in whole raster layers, resumable.</source>
            <translation>Findet in ganzen Rasterlayern, was Ausdrücke nennen; fortsetzbar.</translation>
        </message>
        <message>
            <source>detect,segment,find,object,imagery,mosaic,tiles,resume</source>
            <translation>erkennen,segmentieren,finden,Objekt,Luftbild,Mosaik,Kacheln,fortsetzen</translation>
        </message>
        <message>
            <source>Finds what expressions name in whole raster layers, tile by tile: objects on the tiles' seams come back whole, and relations (“the largest tank”, “houses within 50 m of the river”) hold over all of a layer.

Expressions: one a line, or separated by semicolons.
Area: an extent, polygons, or both; all of each layer unless told. A web map needs one.

The output is a GeoPackage with boxes, oriented boxes and masks of all expressions; the attribute “expression” tells them apart. It is the journal too: cancelled, or after a crash, the same call goes on where it stopped. Where it holds another search, the algorithm stops; tick “Start anew” to replace it.

Layers that are no plain image files (web maps, stretched or coloured rasters) are first copied as displayed, beside the output; the log says how many pixels and web tiles that takes.</source>
            <translation>Findet in ganzen Rasterlayern, was Ausdrücke nennen, Kachel für Kachel: Objekte auf den Nähten der Kacheln kommen ganz zurück, und Beziehungen (“the largest tank”, “houses within 50 m of the river”) gelten im ganzen Layer.

Ausdrücke: einer je Zeile, oder durch Semikolon getrennt.
Gebiet: eine Ausdehnung, Polygone, oder beides; jeder Layer ganz, wenn nichts angegeben ist. Eine Webkarte braucht eines.

Die Ausgabe ist ein GeoPackage mit Rechtecken, ausgerichteten Rechtecken und Masken aller Ausdrücke; das Attribut „expression“ unterscheidet sie. Sie ist zugleich das Journal: Nach einem Abbruch oder Absturz macht derselbe Aufruf weiter, wo er stehen blieb. Enthält sie eine andere Suche, hält der Algorithmus an; „Neu beginnen“ ersetzt sie.

Layer, die keine einfachen Bilddateien sind (Webkarten, gestreckte oder gefärbte Raster), werden zuerst neben der Ausgabe so kopiert, wie sie dargestellt sind; das Protokoll sagt, wie viele Pixel und Webkacheln das sind.</translation>
        </message>
        <message>
            <source>Raster layers</source>
            <translation>Rasterlayer</translation>
        </message>
        <message>
            <source>Expressions, one a line</source>
            <translation>Ausdrücke, einer je Zeile</translation>
        </message>
        <message>
            <source>Extent to search</source>
            <translation>Zu durchsuchende Ausdehnung</translation>
        </message>
        <message>
            <source>Polygons to search in</source>
            <translation>Polygone, in denen gesucht wird</translation>
        </message>
        <message>
            <source>Least score</source>
            <translation>Mindestwert</translation>
        </message>
        <message>
            <source>Engine</source>
            <translation>Verfahren</translation>
        </message>
        <message>
            <source>Ground sample distance in metres (0: the layer's own)</source>
            <translation>Bodenauflösung in Metern (0: die des Layers)</translation>
        </message>
        <message>
            <source>Start anew where the output holds another search</source>
            <translation>Neu beginnen, wenn die Ausgabe eine andere Suche enthält</translation>
        </message>
        <message>
            <source>Results (resumable)</source>
            <translation>Ergebnisse (fortsetzbar)</translation>
        </message>
        <message>
            <source>GeoPackage files (*.gpkg)</source>
            <translation>GeoPackage-Dateien (*.gpkg)</translation>
        </message>
        <message>
            <source>Number of objects</source>
            <translation>Anzahl der Objekte</translation>
        </message>
        <message>
            <source>The expression is empty: say what to find, such as “the blue roofs”.</source>
            <translation>Der Ausdruck ist leer: angeben, was zu finden ist, etwa “the blue roofs”.</translation>
        </message>
        <message>
            <source>The folder {path} does not exist.</source>
            <translation>Den Ordner {path} gibt es nicht.</translation>
        </message>
        <message>
            <source>Tick “Start anew” (RESTART) to replace it, or choose another output.</source>
            <translation>„Neu beginnen“ (RESTART) ankreuzen, um sie zu ersetzen, oder eine andere Ausgabe wählen.</translation>
        </message>
        <message>
            <source>The layer of polygons to search in is empty.</source>
            <translation>Der Layer mit den Polygonen ist leer.</translation>
        </message>
        <message>
            <source>The extent and the polygons to search in do not meet.</source>
            <translation>Die Ausdehnung und die Polygone berühren sich nicht.</translation>
        </message>
        <message>
            <source>“{expression}”: {n} objects</source>
            <translation>„{expression}“: {n} Objekte</translation>
        </message>
        <message>
            <source>Understood as: {words}</source>
            <translation>Verstanden als: {words}</translation>
        </message>
        <message>
            <source>Nothing was found.</source>
            <translation>Nichts gefunden.</translation>
        </message>
        <message>
            <source>Copying the layer as displayed</source>
            <translation>Kopiert den Layer, wie er dargestellt ist</translation>
        </message>
        <message>
            <source>Starting the server</source>
            <translation>Startet den Server</translation>
        </message>
        <message>
            <source>{total} tiles, {done} of them done already</source>
            <translation>{total} Kacheln, davon {done} schon durchsucht</translation>
        </message>
        <message>
            <source>{done} of {total} tiles, {n} candidates</source>
            <translation>{done} von {total} Kacheln, {n} Kandidaten</translation>
        </message>
        <message>
            <source>Putting the tiles' objects together</source>
            <translation>Fügt die Objekte der Kacheln zusammen</translation>
        </message>
        <message>
            <source>Export to COCO</source>
            <translation>Nach COCO exportieren</translation>
        </message>
        <message>
            <source>Writes objects of a polygon layer as COCO JSON, in a raster's pixels.</source>
            <translation>Schreibt Objekte eines Polygonlayers als COCO-JSON, in den Pixeln eines Rasters.</translation>
        </message>
        <message>
            <source>coco,json,training,annotation,mask,box,rle</source>
            <translation>coco,json,Training,Annotation,Maske,Rechteck,rle</translation>
        </message>
        <message>
            <source>Writes the polygons of a layer as COCO JSON, for people who train models: one image (the raster), and for each object its box, its mask as run lengths, and its category.

Categories are the values of a field: “label” (what the engine takes the object for) or “expression” (what was asked) of RSGround's results, or any field of another layer. The score is written where there is one.

Objects outside of the raster, or smaller than a pixel, are left out and counted.</source>
            <translation>Schreibt die Polygone eines Layers als COCO-JSON, für Leute, die Modelle trainieren: ein Bild (das Raster), und für jedes Objekt sein Rechteck, seine Maske als Lauflängen und seine Kategorie.

Kategorien sind die Werte eines Feldes: „label“ (wofür das Verfahren das Objekt hält) oder „expression“ (was gefragt wurde) in Ergebnissen von RSGround, oder irgendein Feld eines anderen Layers. Der Score wird geschrieben, wo es einen gibt.

Objekte außerhalb des Rasters, oder kleiner als ein Pixel, werden weggelassen und gezählt.</translation>
        </message>
        <message>
            <source>Objects (masks or boxes)</source>
            <translation>Objekte (Masken oder Rechtecke)</translation>
        </message>
        <message>
            <source>Image that the objects lie on</source>
            <translation>Bild, auf dem die Objekte liegen</translation>
        </message>
        <message>
            <source>Field of the category</source>
            <translation>Feld der Kategorie</translation>
        </message>
        <message>
            <source>Field of the score</source>
            <translation>Feld des Scores</translation>
        </message>
        <message>
            <source>COCO file</source>
            <translation>COCO-Datei</translation>
        </message>
        <message>
            <source>COCO files (*.json)</source>
            <translation>COCO-Dateien (*.json)</translation>
        </message>
        <message>
            <source>The layer has no field “{name}”; it has {names}.</source>
            <translation>Der Layer hat kein Feld „{name}“; er hat {names}.</translation>
        </message>
        <message>
            <source>{path} could not be written: {why}</source>
            <translation>{path} konnte nicht geschrieben werden: {why}</translation>
        </message>
        <message>
            <source>{n} objects lie outside of the raster or cover no pixel: left out.</source>
            <translation>{n} Objekte liegen außerhalb des Rasters oder bedecken kein Pixel: weggelassen.</translation>
        </message>
        <message>
            <source>Ground expression</source>
            <translation>Ausdruck finden</translation>
        </message>
        <message>
            <source>Finds what an expression names in a raster layer.</source>
            <translation>Findet in einem Rasterlayer, was ein Ausdruck nennt.</translation>
        </message>
        <message>
            <source>detect,segment,find,object,imagery,referring expression,language,ai</source>
            <translation>erkennen,segmentieren,finden,Objekt,Luftbild,Ausdruck,Sprache,KI</translation>
        </message>
        <message>
            <source>Finds what an expression names in a raster layer: “the white tanks left of the road”.

The layer may be a file, a web map or a virtual raster; it is searched as it is displayed, with its bands, stretch and palette. Left and right are those of the north-up raster.

Extent: all of the layer unless told. A web map needs one.
Ground sample distance: metres a pixel; the layer's own unless told. Coarser is faster and loses small things.

Areas larger than a tile of the options are searched in tiles, as “Ground expressions in batch” does. Name a journal to continue such a search after it was cancelled.

The three outputs hold the same objects, linked by the attribute “id”. When nothing is found they are empty, and the log and the output REASON say which part of the expression found nothing.

Everything is computed on this machine.</source>
            <translation>Findet in einem Rasterlayer, was ein Ausdruck nennt: “the white tanks left of the road”. Ausdrücke sind englisch.

Der Layer darf eine Datei, eine Webkarte oder ein virtuelles Raster sein; er wird durchsucht, wie er dargestellt ist, mit seinen Kanälen, seiner Streckung und Palette. Links und rechts sind die des nach Norden zeigenden Rasters.

Ausdehnung: der ganze Layer, wenn nichts angegeben ist. Eine Webkarte braucht eine.
Bodenauflösung: Meter je Pixel; die des Layers, wenn nichts angegeben ist. Gröber ist schneller und verliert kleine Dinge.

Gebiete, die größer sind als eine Kachel der Optionen, werden in Kacheln durchsucht, wie von „Ausdrücke im Stapel finden“. Mit einem Journal lässt sich eine solche Suche nach einem Abbruch fortsetzen.

Die drei Ausgaben enthalten dieselben Objekte, verbunden durch das Attribut „id“. Wird nichts gefunden, sind sie leer, und das Protokoll und die Ausgabe REASON sagen, welcher Teil des Ausdrucks nichts fand.

Alles wird auf diesem Rechner berechnet.</translation>
        </message>
        <message>
            <source>Raster layer</source>
            <translation>Rasterlayer</translation>
        </message>
        <message>
            <source>Expression (what to find)</source>
            <translation>Ausdruck (was zu finden ist)</translation>
        </message>
        <message>
            <source>Journal, to continue a large search that was cancelled</source>
            <translation>Journal, um eine abgebrochene große Suche fortzusetzen</translation>
        </message>
        <message>
            <source>Boxes</source>
            <translation>Rechtecke</translation>
        </message>
        <message>
            <source>Oriented boxes</source>
            <translation>Ausgerichtete Rechtecke</translation>
        </message>
        <message>
            <source>Masks</source>
            <translation>Masken</translation>
        </message>
        <message>
            <source>How the expression was read</source>
            <translation>Wie der Ausdruck gelesen wurde</translation>
        </message>
        <message>
            <source>Why nothing was found</source>
            <translation>Warum nichts gefunden wurde</translation>
        </message>
        <message>
            <source>Choose at least one output: boxes, oriented boxes or masks.</source>
            <translation>Mindestens eine Ausgabe wählen: Rechtecke, ausgerichtete Rechtecke oder Masken.</translation>
        </message>
        <message>
            <source>Reading the layer</source>
            <translation>Liest den Layer</translation>
        </message>
        <message>
            <source>{n} objects found</source>
            <translation>{n} Objekte gefunden</translation>
        </message>
        <message>
            <source>Measuring regions</source>
            <translation>Vermisst Regionen</translation>
        </message>
        <message>
            <source>Looking for candidates</source>
            <translation>Sucht Kandidaten</translation>
        </message>
        <message>
            <source>Checking relations</source>
            <translation>Prüft Beziehungen</translation>
        </message>
        <message>
            <source>{path} cannot be opened as a result.</source>
            <translation>{path} kann nicht als Ergebnis geöffnet werden.</translation>
        </message>
        <message>
            <source>An object could not be written: {why}</source>
            <translation>Ein Objekt konnte nicht geschrieben werden: {why}</translation>
        </message>
    </context>
    <context>
        <name>RSGroundProvider</name>
        <message>
            <source>RSGround: things in imagery from a sentence</source>
            <translation>RSGround: Dinge in Bildern, aus einem Satz</translation>
        </message>
    </context>
    <context>
        <name>WholeLayer</name>
        <message>
            <source>The result is kept in {path}</source>
            <translation>Das Ergebnis liegt in {path}</translation>
        </message>
        <message>
            <source>Start anew? What that file holds is replaced.</source>
            <translation>Neu beginnen? Der Inhalt der Datei wird ersetzt.</translation>
        </message>
        <message>
            <source>Stopped. What was searched is kept: ask the same again to continue.</source>
            <translation>Beendet. Das Durchsuchte bleibt: dasselbe noch einmal fragen, um fortzusetzen.</translation>
        </message>
    </context>
    <context>
        <name>ExplanationLayers</name>
        <message>
            <source>How well it fits</source>
            <translation>Wie gut es passt</translation>
        </message>
        <message>
            <source>How likely it is</source>
            <translation>Wie wahrscheinlich es ist</translation>
        </message>
        <message>
            <source>1 Where the words point (A_C)</source>
            <translation>1 Worauf die Worte zeigen (A_C)</translation>
        </message>
        <message>
            <source>2 What belongs to it (A_CS)</source>
            <translation>2 Was dazugehört (A_CS)</translation>
        </message>
        <message>
            <source>3 What grew from it (A_E)</source>
            <translation>3 Was daraus wuchs (A_E)</translation>
        </message>
    </context>
    <context>
        <name>WeightsBox</name>
        <message>
            <source>Weights of large models</source>
            <translation>Gewichte großer Modelle</translation>
        </message>
        <message>
            <source>In the user&apos;s cache folder</source>
            <translation>Im Cache-Ordner des Benutzers</translation>
        </message>
        <message>
            <source>The built-in engine needs none.</source>
            <translation>Das eingebaute Verfahren braucht keine.</translation>
        </message>
        <message>
            <source>Get</source>
            <translation>Holen</translation>
        </message>
        <message>
            <source>Stop</source>
            <translation>Anhalten</translation>
        </message>
        <message>
            <source>Kept in</source>
            <translation>Liegen in</translation>
        </message>
        <message>
            <source>Weights</source>
            <translation>Gewichte</translation>
        </message>
        <message>
            <source>RSGround: listing weights</source>
            <translation>RSGround: Gewichte werden aufgelistet</translation>
        </message>
        <message>
            <source>RSGround: downloading {name}</source>
            <translation>RSGround: {name} wird heruntergeladen</translation>
        </message>
        <message>
            <source>Starting</source>
            <translation>Beginnt</translation>
        </message>
        <message>
            <source>Download {name}, {size}?

Licence: {licence}. By downloading you agree to it; read it at https://huggingface.co/{name} first.</source>
            <translation>{name} herunterladen, {size}?

Lizenz: {licence}. Mit dem Herunterladen stimmen Sie ihr zu; lesen Sie sie zuerst unter https://huggingface.co/{name}.</translation>
        </message>
        <message>
            <source>It is here.</source>
            <translation>Sie sind da.</translation>
        </message>
        <message>
            <source>It is missing.</source>
            <translation>Sie fehlen.</translation>
        </message>
        <message>
            <source>A part of it is here; the download goes on from there.</source>
            <translation>Ein Teil ist da; das Herunterladen geht dort weiter.</translation>
        </message>
        <message>
            <source>{state} {size}, licence {licence}, for {engines}.</source>
            <translation>{state} {size}, Lizenz {licence}, für {engines}.</translation>
        </message>
        <message>
            <source> (default)</source>
            <translation> (Vorgabe)</translation>
        </message>
    </context>
</TS>
