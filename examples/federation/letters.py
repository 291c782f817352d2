"""A script and two Corps on one host: start both with `corps run`, then this.

corps run town.py --detach --tag north --envs 1
corps run town.py --detach --tag south --envs 1
python letters.py
corps stop north; corps stop south
"""

import corps

with corps.connect("north") as north:
    south = corps.connect("south")
    box = north.box("Anna").ret
    print(box.drop("from a script").ret)
    print(south.write(box, "from the south").ret)  # straight from one Corps to the other
    print("at home:", north.is_here(box).ret)
    print("in the south:", south.is_here(box).ret)
