#!/bin/sh
# The demo: a generated scene, real QGIS with the plugin of this checkout, one relational expression typed into
# the panel; demo/panel.png and demo/results.gpkg, checked against the scene's truth.
# With a display QGIS stays open afterwards; without one it runs under Xvfb and is closed.
set -eu
cd "$(dirname "$0")/.."
root=$(pwd)
python=${RSGROUND_PYTHON:-$root/.venv/bin/python}
qgis=${QGIS:-qgis}
folder=${1:-$root/demo}

[ -x "$python" ] || { echo "demo: the server's environment is missing: run 'make setup', or set RSGROUND_PYTHON" >&2; exit 2; }
command -v "$qgis" >/dev/null || { echo "demo: QGIS is missing: sudo apt install qgis" >&2; exit 2; }

mkdir -p "$folder"
folder=$(cd "$folder" && pwd)
rm -f "$folder/panel.png" "$folder/results.gpkg" "$folder/finished.json"
PYTHONPATH=$root "$python" scripts/demo_scene.py make "$folder"

# A profile of its own: nothing of the user's QGIS is read or changed.
profile=$(mktemp -d)
trap 'rm -rf "$profile"' EXIT
plugin=$profile/profiles/default/python/plugins/rsground_plugin
mkdir -p "$plugin" "$profile/profiles/default/QGIS"
for item in "$root"/rsground_plugin/* "$root/metadata.txt"; do ln -s "$item" "$plugin/"; done
cat > "$profile/profiles/default/QGIS/QGIS3.ini" <<INI
[PythonPlugins]
rsground_plugin=true
[qgis]
checkVersion=false
showTips=false
[core]
locale\overrideFlag=true
[locale]
overrideFlag=true
userLocale=en_US
[rsground]
results_folder=$folder/results
INI

export RSGROUND_PYTHON="$python" RSGROUND_DEMO_FOLDER="$folder"
start="$qgis --nologo --noversioncheck --profiles-path $profile --code $root/scripts/demo_qgis.py"
if [ -n "${DISPLAY:-}${WAYLAND_DISPLAY:-}" ]; then
    $start &
else
    command -v xvfb-run >/dev/null || { echo "demo: no display, and xvfb-run is missing: sudo apt install xvfb" >&2; exit 2; }
    export RSGROUND_DEMO_QUIT=1 XDG_RUNTIME_DIR="${XDG_RUNTIME_DIR:-$profile}"
    # Bounded, as nobody is there to close a question that QGIS asks.
    xvfb-run -a -s "-screen 0 1600x1000x24" timeout 400 $start > "$folder/qgis.log" 2>&1 &
fi
qgis_job=$!

waited=0
while [ ! -f "$folder/finished.json" ]; do
    kill -0 "$qgis_job" 2>/dev/null || { echo "demo: QGIS ended before the demo did, see $folder/qgis.log" >&2; exit 1; }
    [ "$waited" -lt 300 ] || { echo "demo: QGIS did not finish the demo within 300 s" >&2; kill "$qgis_job"; exit 1; }
    sleep 1
    waited=$((waited + 1))
done
cat "$folder/finished.json"; echo
status=0
PYTHONPATH=$root "$python" scripts/demo_scene.py check "$folder" || status=1
echo "picture: $folder/panel.png   layers: $folder/results.gpkg"
[ -n "${RSGROUND_DEMO_QUIT:-}" ] || echo "QGIS stays open; close it to end the demo."
wait "$qgis_job" || { echo "demo: QGIS did not end well, see $folder/qgis.log" >&2; status=1; }
exit $status
