"""Carol's script: python customer.py BAKERY MILL."""

import sys

from bakery import Bakery, Table

import corps

if __name__ == "__main__":
    with corps.connect(sys.argv[1], Bakery) as bakery:
        for words in bakery.order("rye", 2, corps.create(Table)).ret:
            print(words)
        try:
            bakery.buy_from("a mill of mine").result()
        except corps.NoSuchMethod:
            print("where the bakery buys is not for customers to say")
        try:
            corps.connect(sys.argv[2])
        except corps.Unreachable:
            print("the mill does not know Carol's key")
