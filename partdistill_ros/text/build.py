# SPDX-License-Identifier: Apache-2.0
"""Makes the shipped text space, `python -m partdistill_ros.text.build`: everyday names, and those of the families."""

from __future__ import annotations

from partdistill_ros.synthetic.families import FAMILIES
from partdistill_ros.text.space import DEFAULT_PATH, TextSpace

OBJECTS = """
mug cup bottle jar can kettle teapot pitcher jug glass bowl plate vase pot pan lid box basket bucket
chair stool armchair bench sofa table desk nightstand shelf cabinet drawer bed lamp lantern flashlight
airplane plane jet aircraft helicopter rocket car truck bus bicycle motorcycle boat train wheelchair cart
knife fork spoon scissors pliers wrench hammer screwdriver saw drill axe shovel tweezers tongs clamp
eyeglasses glasses sunglasses goggles watch clock ring necklace hat cap helmet shoe boot glove bag backpack
laptop keyboard monitor mouse phone tablet camera printer speaker headphones microphone remote television
guitar violin piano drum trumpet pistol rifle sword faucet toilet sink bathtub dispenser door window
refrigerator oven microwave toaster washing_machine dishwasher blender iron fan stapler pen pencil book
umbrella key lock suitcase broom mop brush ladder globe skateboard ball racket toy robot human dog horse
""".split()

PARTS = """
handle cup body neck cap lid spout rim base foot bottom top side wall opening mouth lip
back seat leg arm armrest backrest headrest cushion tabletop drawer frame support column pedestal wheel castor
wing tail engine fuselage propeller cockpit nose fin rudder stabilizer fan blade edge tip grip shaft head
jaw joint pivot hinge lens temple bridge earpiece nosepiece rim screen display keyboard touchpad keys hood
shade lampshade bulb pole stand stem crown visor brim peak button strap buckle sole heel tongue lace
door roof window mirror bumper light saddle pedal handlebar chain tank exhaust trunk string body fretboard
barrel trigger muzzle stock magazine guard hilt switch knob lever valve nozzle hose pump cable plug cord
sheet cover label ear eye hand finger leg tooth prong tine bristle roller container vessel
""".split()


def fitting_names() -> list[str]:
    """The names, and parts of objects in short phrases, that the projection is fitted on."""
    objects = [word.replace("_", " ") for word in OBJECTS]
    phrases = [f"{part} of a {thing}" for part in PARTS[::4] for thing in objects[::12]]
    return sorted({*objects, *PARTS, *phrases})


def known_names() -> set[str]:
    """Names of every family, of its parts, and their synonyms, beside the everyday ones."""
    names = {word.replace("_", " ") for word in (*OBJECTS, *PARTS)}
    for family in FAMILIES.values():
        names |= {family.name, *family.parts}
        for key, synonyms in family.synonyms.items():
            names |= {key, *synonyms}
    return names


if __name__ == "__main__":
    space = TextSpace.fit(fitting_names(), sorted(known_names()))
    space.save(DEFAULT_PATH)
    print(f"{DEFAULT_PATH}: {len(space.names)} names, {space.dim} dimensions")
