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
    </context>
    <context>
        <name>RSGroundDock</name>
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
            <source>The expression has {n} characters, and may have {most}. Say it in fewer words.</source>
            <translation>Der Ausdruck hat {n} Zeichen, erlaubt sind {most}. Bitte kürzer fassen.</translation>
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
</TS>
