"""Nouns of overhead imagery: compounds that belong together, singular and plural, what a noun can have."""

from __future__ import annotations


def word_set(text: str) -> frozenset[str]:
    """The words of a text."""
    return frozenset(text.split())


def phrase_set(text: str) -> frozenset[str]:
    """The phrases of a text, apart by "|" and by line."""
    return frozenset(" ".join(part.split()) for line in text.splitlines() for part in line.split("|") if part.strip())


#: Compounds that stay one category. Without this list "parking lot" would lose its "parking" to the verb.
COMPOUNDS = """
large vehicle|small vehicle
storage tank|oil tank|fuel tank|water tank|gas tank|septic tank|chemical tank|water tower|cooling tower
radio tower|cell tower|transmission tower|control tower|power pylon|electricity pylon|power line|power plant
power station|tennis court|basketball court|volleyball court|badminton court|handball court|squash court
sports court|padel court|soccer field|football field|football pitch|soccer pitch|baseball field|baseball diamond
softball field|cricket pitch|cricket ground|hockey field|hockey pitch|rugby pitch|rugby field|sports field
sports ground|playing field|athletic field|ground track field|athletics track|running track|race track
racing track|track field|track and field|golf course|golf green|golf field|putting green|driving range
sand bunker|sand trap|sand pit|parking lot|parking space|parking spot|parking bay|parking area|parking garage
parking structure|parking place|car park|parking stall|swimming pool|paddling pool|wading pool|kiddie pool
hot tub|water slide|water park|swimming area|solar panel|solar array|solar farm|solar plant|photovoltaic panel
wind turbine|wind mill|wind farm|shipping container|storage container|cargo container|freight container
container ship|container yard|container terminal|cargo ship|cruise ship|fishing boat|sailing boat|sail boat
motor boat|speed boat|rowing boat|house boat|oil tanker|tanker truck|tank truck|tanker ship|patrol boat
ferry boat|landing stage|boat ramp|boat house|swimming platform|expressway service area|expressway toll station
toll station|toll booth|toll gate|toll plaza|service area|rest area|train station|railway station|bus station
subway station|metro station|gas station|petrol station|filling station|fire station|police station
pumping station|charging station|service station|space station|weather station|substation|train track
railway track|railroad track|railway line|rail track|rail line|rail yard|railway yard|railway bridge
freight train|passenger train|freight car|train car|railway carriage|rail car|tram line|tram track
traffic circle|round about|traffic island|traffic light|street light|street lamp|lamp post|light pole
light tower|bus stop|bus lane|bike lane|bicycle lane|cycle path|bike path|turning lane|slip road|access road
dirt track|zebra crossing|pedestrian crossing|level crossing|railway crossing|crosswalk|road crossing
pedestrian bridge|foot bridge|road bridge|suspension bridge|road junction|road marking|road sign|speed bump
traffic sign|road intersection|side street|ring road|dead end|flower bed|cul de sac|helicopter pad|landing pad
landing strip|landing field|helipad|boarding bridge|jet bridge|passenger bridge|airport terminal
passenger terminal|air strip|air field|roof top|roof terrace|roof garden|roof window|sky light|bare soil
bare ground|bare land|bare earth|open ground|open space|grass field|rice field|rice paddy|corn field|wheat field
crop field|crop land|farm land|rapeseed field|farm house|farm building|farm field|pasture land|paddy field
wet land|grain silo|grain bin|hay bale|hay stack|green house|glass house|poly tunnel|chicken coop|cow shed
apple tree|palm tree|pine tree|fruit tree|oak tree|olive tree|olive grove|palm grove|orange grove|tree crown
tree canopy|tree line|tree row|orchard tree|oil palm|fish pond|fish farm|fishing net|sewage plant
treatment plant|sewage works|water treatment plant|wastewater treatment plant|settling tank|sedimentation tank
settling pond|retention pond|retention basin|detention basin|water body|water surface|river bank|river bed
sand bank|sand bar|harbor basin|dry dock|boat dock|building site|construction site|construction crane
construction vehicle|construction machine|tower crane|container crane|gantry crane|harbor crane|harbour crane
loading dock|loading bay|loading crane|storage yard|storage shed|storage building|storage area|storage hall
storage silo|garden shed|tool shed|garden house|apartment building|apartment block|apartment house
block of flats|office building|office block|factory building|factory hall|school building|school yard
play ground|town hall|city hall|court yard|court house|church tower|bell tower|clock tower|basketball hoop
goal post|tennis net|football goal|soccer goal|penalty area|center circle|centre circle|shopping mall
shopping center|shopping centre|market stall|market place|market hall|row house|terrace house|town house
mobile home|trailer home|camper van|motor home|recreational vehicle|delivery van|mini bus|school bus
double decker bus|tour bus|pick up truck|pickup truck|fire truck|fire engine|garbage truck|dump truck|dumper truck
cement mixer|concrete mixer|tow truck|semi trailer|semi truck|box truck|flatbed truck|police car|sports car
sedan car|race car|taxi cab|motor bike|motor cycle|fighter jet|fighter plane|jet plane|passenger plane
passenger jet|cargo plane|propeller plane|war ship|warship|aircraft carrier|submarine|helicopter
engineering vehicle|coal pile|sand pile|gravel pile|scrap yard|junk yard|landfill site|waste dump|trash can
garbage bin|garbage dump|burial ground|grave yard|war memorial|picnic table|park bench|fire pit|camping site
camp site|fence line|retaining wall|city wall|hedge row|manhole cover|shade sail|sun shade|beach umbrella
sun umbrella|sun bed|swimming dock|green space|built up area|ice rink|skate park|skating rink|amusement park
theme park|ferris wheel|roller coaster|riding arena|horse track|oil well|oil rig|drilling rig|drilling platform
pump jack|pipe line|gas pipeline|conveyor belt|chimney stack|smoke stack|radar dome|satellite dish
radio telescope|missile silo|guard tower|watch tower|light house|bridge pier|boat trailer|parking deck|car wash
drive way|foot path|side walk|bicycle rack|bike rack|shopping cart|water channel|irrigation canal
irrigation channel|drainage ditch|drainage channel|center pivot|centre pivot|pivot field|crop circle|salt pan
salt pond|stop line|lane marking|taxi way|run way|hill top|mountain top|tree top|top soil
"""

#: Single nouns that look like participles or adjectives, so that they are not taken for modifiers.
NOUNS_LIKE_MODIFIERS = word_set(
    """building housing crossing landing parking opening railing clearing dwelling mooring marking awning wing ring
    spring
    string king planting lightning ceiling siding outbuilding swimming shipping fencing scaffolding earring duckling
    shed bed reed seed weed seabed flatbed riverbed watershed sled feed bobsled moped
    canal terminal hospital signal mall wall hall pedestrian capital cathedral memorial animal coral mineral chapel
    hotel motel tunnel vessel panel channel field chapel castle temple cottage garage bridge village arsenal
    harbor harbour pier tower car jetty quarry ferry factory cemetery nursery refinery brewery bakery lorry alley valley
    taxi bus truck van plane jet boat ship yacht barge dinghy tank silo pool court pitch pond lake river stream sea
    olive native locomotive drive hive archive cistern lantern barn tavern cavern fern"""
)

_IRREGULAR = {
    "people": "person",
    "men": "man",
    "women": "woman",
    "children": "child",
    "feet": "foot",
    "geese": "goose",
    "mice": "mouse",
    "leaves": "leaf",
    "halves": "half",
    "wharves": "wharf",
    "shelves": "shelf",
    "calves": "calf",
    "wolves": "wolf",
    "sheaves": "sheaf",
    "oxen": "ox",
    "buses": "bus",
    "busses": "bus",
    "minibuses": "minibus",
    "omnibuses": "omnibus",
    "trolleybuses": "trolleybus",
    "campuses": "campus",
    "gases": "gas",
    "viruses": "virus",
    "circuses": "circus",
    "cactuses": "cactus",
    "cacti": "cactus",
    "stadia": "stadium",
    "termini": "terminus",
    "terminuses": "terminus",
    "canoes": "canoe",
    "shoes": "shoe",
    "pies": "pie",
    "ties": "tie",
    "movies": "movie",
    "caches": "cache",
    "bases": "base",
}

#: Words on -s that are no plurals (or have no singular).
_NOT_PLURAL = word_set(
    """grass tennis bus glass gas campus canvas cross compass debris pass overpass underpass bypass business class
    cactus terminus headquarters works barracks premises series species crossroads stairs us this is was has its
    trellis axis oasis basis chassis moss cress bias atlas virus circus minibus omnibus trolleybus swiss gps
    photovoltaics athletics gymnastics sports means analysis always across perhaps plus minus press mess less
    isthmus nexus lotus citrus eucalyptus hibiscus iris bass brass lass molasses"""
)

#: Things that stretch out: what follows them ("the house next to the road in the upper left") is said
#: of the thing beside them.
GROUNDS = phrase_set(
    """road|street|highway|motorway|expressway|freeway|avenue|boulevard|alley|lane|path|track|railway|railroad
    railway track|train track|railway line|rail track|river|stream|creek|canal|channel|ditch|river bank|coast
    coastline|shore|shoreline|waterfront|quay|fence|hedge|sidewalk|side walk|pavement|pathway|footpath|foot path
    driveway|drive way|taxiway|taxi way|runway|run way|access road|water|sea|ocean|grass|lawn|sand|soil
    ground|land|earth|bare soil|bare ground|asphalt|concrete|gravel|dirt|snow|vegetation|forest|woods"""
)

#: What crosses other things when it is "over" them.
BRIDGES = phrase_set(
    """bridge|overpass|flyover|viaduct|aqueduct|foot bridge|footbridge|pedestrian bridge|railway bridge|road bridge
    suspension bridge|road|highway|railway|power line|pipeline|pipe line|conveyor belt"""
)

#: "a plane over the field" is on it, not above it on the screen.
OPEN_GROUNDS = word_set("field lake forest pond park desert beach meadow city town apron orchard valley wood garden")

_SURFACE_HEADS = OPEN_GROUNDS | word_set(
    """lot apron court pitch yard playground plaza square area airport harbor harbour marina port campus estate island
    water sea grass lawn farm plantation quarry site terminal station zone region village sand"""
)


def is_surface(category: str) -> bool:
    """Whether things can lie on it, so that "on the left of" it is a part of it: fields, lots, lakes."""
    return category.split(" ")[-1] in _SURFACE_HEADS


#: What has no roof: "the house next to the road with a red roof" speaks of the house.
ROOFLESS = GROUNDS | phrase_set(
    """tree|pool|swimming pool|field|court|tennis court|basketball court|car|truck|parking lot|lake|pond|park|garden
    yard|plane|airplane|ship|boat|pitch|square|bridge|roundabout|traffic circle|hedge|bush|fountain"""
)

#: Parts whose look is told of the whole: "a building with a blue roof" is a blue building.
PARTS = word_set(
    "roof rooftop top roofing surface cover lid hull body color colour paint facade shade hue coating tone"
)
#: Parts that no engine finds by themselves; their words become an attribute of the whole.
DETAILS = word_set(
    """line lines marking markings stripe stripes pattern logo text letters symbol border borders wing wings tail nose
    window windows chimney chimneys outline edge edges dome skylight skylights gable gables shadow texture
    walls wall"""
)

#: "a row of trees": many things; "a patch of grass": a piece of one.
COLLECTIVES = word_set(
    "row line group cluster pair couple bunch set stack collection fleet series rows groups clusters lines"
)
PORTIONS = word_set(
    "patch piece stretch strip section expanse clump stand plot block area pile heap patches pieces strips"
)

#: "a grassy area" is made of its material: the category is then "grass area".
VAGUE = word_set("area areas region regions zone zones patch patches strip strips spot spots")

#: Words for the picture itself.
FRAMES = word_set(
    """image picture photo photograph scene screen view map tile frame canvas snapshot screenshot imagery orthophoto
    raster"""
)

#: Words for just anything: the category is then "".
ANYTHING = word_set("thing object item something anything everything entity feature stuff one")

_ES_ENDINGS = ("ches", "shes", "xes", "sses", "zes")


def is_plural(noun: str) -> bool:
    """Whether a lower-case noun is a plural: "houses", "children"; not "grass", "bus", "tennis"."""
    if noun in _IRREGULAR:
        return True
    if len(noun) < 4 or not noun.endswith("s") or not noun.isascii():
        return False
    return noun not in _NOT_PLURAL and not noun.endswith(("ss", "us", "is"))


def singular(noun: str) -> str:
    """The singular of a lower-case noun: "houses" -> "house", "lorries" -> "lorry", "grass" -> "grass"."""
    if noun in _IRREGULAR:
        return _IRREGULAR[noun]
    if not is_plural(noun):
        return noun
    if noun.endswith("ies"):
        return noun[:-3] + "y"
    if noun.endswith(_ES_ENDINGS):
        return noun[:-2]
    return noun[:-1]


def with_article(words: str) -> str:
    """ "a lorry", "an orange car"."""
    return f"{'an' if words[:1].lower() in set('aeio') else 'a'} {words}"


def plural(noun: str) -> str:
    """The plural of a lower-case noun, to know compounds by: "tennis court" -> "tennis courts"."""
    if noun.endswith("y") and noun[-2:-1] not in "aeiou":
        return noun[:-1] + "ies"
    if noun.endswith(("ch", "sh", "x", "ss", "z", "bus")):
        return noun + "es"
    return noun + "s"
