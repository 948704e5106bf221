"""Which words name which class rule."""

from __future__ import annotations

from dataclasses import dataclass

_WORDS = {
    "building": "building house roof rooftop roof-top home villa warehouse hangar factory shed garage barn cabin hut"
    " cottage mansion church school hospital hotel terminal mall supermarket office apartment residence dwelling"
    " structure complex facility store shop greenhouse pavilion bungalow skyscraper tower depot plant station"
    " gymnasium stadium hall mosque temple farmhouse construction canopy edifice townhouse condo tenement storey block"
    " tower-block apartment-block shack tent kiosk carport shelter palace castle museum library dormitory clinic"
    " outbuilding annex lodge chalet housing",
    "road": "road street highway path lane avenue track driveway motorway expressway freeway alley pavement sidewalk"
    " trail boulevard route overpass carriageway footpath walkway railway railroad crossroad intersection junction"
    " dirt-road roadway ramp interchange cul-de-sac dirt-track crosswalk crossing drive bypass slip-road",
    "vehicle": "vehicle motor-vehicle traffic",
    "car": "car automobile van sedan taxi suv minivan hatchback jeep pickup cab small-vehicle auto"
    " coupe limousine pickup-truck",
    "bus": "bus coach minibus tram streetcar trolleybus",
    "truck": "truck lorry trailer semi tanker van-truck large-vehicle semitrailer dumper"
    " tractor excavator bulldozer fire-truck tow-truck",
    "tree": "tree palm bush shrub crown conifer tree-crown palm-tree pine oak cypress",
    "forest": "forest wood woods woodland grove orchard jungle trees canopy-forest treeline hedge",
    "grass": "grass lawn meadow turf grassland yard garden park",
    "vegetation": "vegetation greenery plant-cover",
    "field": "field farmland cropland crop farm plot paddock pasture plantation parcel land cropfield farm-field"
    " agricultural-field vineyard rice-field",
    "water": "water sea ocean bay waterway harbor harbour canal channel waterbody water-body"
    " inlet marina shore shoreline coast coastline waterfront",
    "river": "river stream creek",
    "lake": "lake pond reservoir lagoon basin puddle",
    "pool": "pool swimming-pool",
    "soil": "soil bare-soil sand beach dirt ground bareland bare-land barren-land desert quarry earth gravel mud"
    " bare-ground construction-site sandbox clay rubble"
    " dune sandbank clearing",
    "court": "court volleyball-court sports-court playground handball-court badminton-court",
    "tennis court": "tennis-court tennis",
    "basketball court": "basketball-court basketball",
    "track": "running-track athletics-track ground-track-field race-track athletic-track",
    "soccer field": "soccer-field football-field soccer-pitch football-pitch pitch sports-field stadium-field"
    " rugby-field baseball-field baseball-diamond playing-field athletic-field sports-ground"
    " cricket-ground golf-course",
    "tank": "tank storage-tank silo oil-tank water-tank water-tower gas-tank fuel-tank cistern gasholder store-tank"
    " cooling-tower dome",
    "ship": "ship boat vessel yacht barge ferry sailboat speedboat freighter cargo-ship motorboat canoe"
    " dinghy kayak rowboat tugboat cruise-ship trawler speed-boat fishing-boat",
    "container": "container shipping-container cargo-container storage-container",
    "parking lot": "parking-lot parking car-park parking-area parking-space lot carpark",
    "apron": "apron tarmac concrete-area paved-area square plaza airport-apron concrete asphalt courtyard yard-paved"
    " patio terrace forecourt hardstand",
    "bridge": "bridge viaduct flyover footbridge",
    "pier": "pier dock jetty wharf quay",
    "airplane": "airplane plane aircraft aeroplane jet airliner jetliner helicopter",
    "runway": "runway airstrip landing-strip taxiway",
    "roundabout": "roundabout traffic-circle traffic-island",
    "solar panel": "solar-panel solar-array solar photovoltaic photovoltaic-panel",
    "shadow": "shadow shade",
    "thing": "object thing area region patch spot part side surface zone element strip shape circle rectangle"
    " square-shape one island stripe line item target",
}

#: Words that say nothing of what it is: "bare soil area", "building block", "road section".
_VAGUE = frozenset(
    ["area", "areas", "region", "zone", "patch", "spot", "part", "section", "segment", "complex", "site"]
)

CLASS_OF = {word: name for name, words in _WORDS.items() for word in words.split()}

#: Classes that name a surface rather than a countable thing: neighbouring pieces may be one answer.
SURFACES = frozenset(
    {
        "road",
        "water",
        "river",
        "lake",
        "forest",
        "grass",
        "vegetation",
        "field",
        "soil",
        "apron",
        "parking lot",
        "runway",
    }
)

#: Surfaces whose touching pieces are one; roads, lots and runways are told apart before.
GROUPED = SURFACES - {"road", "parking lot", "runway"}

#: Classes without corners that turn in.
CONVEX = frozenset({"tennis court", "basketball court", "court", "soccer field"})


@dataclass(frozen=True)
class Meaning:
    """What a category's words mean to the rules.

    Attributes:
        name: key of ``classes.RULES``.
        is_known: False when no word was recognised and ``name`` is the fallback "thing".
        word: the word that decided.
    """

    name: str
    is_known: bool
    word: str


def meaning(category: str) -> Meaning:
    """The class of a category such as "storage tank" or "metal warehouse": the longest known ending decides."""
    words = category.lower().replace("-", " ").split()
    while len(words) > 1 and words[-1] in _VAGUE:
        words.pop()
    if not words:
        return Meaning("thing", True, "")
    for size in (3, 2, 1):
        ending = "-".join(words[-size:])
        if size <= len(words) and ending in CLASS_OF:
            return Meaning(CLASS_OF[ending], True, ending.replace("-", " "))
    return Meaning("thing", False, words[-1])
