"""The resources that reference an object, once for each of their references.

Nearly all objects have one user, and a tuple takes the least memory. An object such as a shared ConfigMap can have ten
thousand, and a copy of a tuple for each would take minutes, so many users are counted in a dictionary.
``reference_cache.py`` keeps them.
"""

from collections import Counter

from esm_operator.api.resource import Key

Users = tuple[Key, ...] | dict[Key, int]
"""Iterating over them yields each user at least once."""
#: The most references in a tuple.
_FEW = 8


def with_user(users: Users, key: Key) -> Users:
    """The users with one more reference. Replaces ``users``, which may change."""
    if isinstance(users, tuple):
        if len(users) < _FEW:
            return (*users, key)
        counts = dict.fromkeys(users, 0)
        for one in users:
            counts[one] += 1
        users = counts
    users[key] = users.get(key, 0) + 1
    return users


def with_users(users: Users, others: Users) -> Users:
    """The users with the references of others. Replaces ``users``, which may change."""
    for key, number in Counter(others).items():
        for _ in range(number):
            users = with_user(users, key)
    return users


def without_user(users: Users, key: Key) -> Users:
    """The users without one reference of a user. Replaces ``users``, which may change."""
    if isinstance(users, tuple):
        number = users.index(key)
        return users[:number] + users[number + 1 :]
    users[key] -= 1
    if not users[key]:
        del users[key]
    return users
