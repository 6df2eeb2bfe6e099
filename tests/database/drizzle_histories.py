"""Histories of a schema in Drizzle's own words, from which drizzle-kit makes real migrations."""

from __future__ import annotations

from dataclasses import dataclass

Hint = tuple[str, list[str], list[str]]


@dataclass(frozen=True)
class Step:
    """One change: the JavaScript of the whole schema after it, and the class that its down has.

    `pg` is drizzle-orm/pg-core in it, `sql` Drizzle's. `renamed` and `created` are the answers to
    drizzle-kit's questions.
    """

    name: str
    code: str
    klass: str = "A"
    renamed: tuple[Hint, ...] = ()
    created: tuple[tuple[str, list[str]], ...] = ()


def users(columns: str = "name: text('name').notNull()", more: str = "") -> str:
    return (
        "const users = exports.users = pg.pgTable('users', { id: pg.serial('id').primaryKey(), "
        f"{columns.replace(': ', ': pg.')} }}, (t) => [{more}]);\n"
    )


def mood(values: str) -> str:
    return f"const mood = exports.mood = pg.pgEnum('mood', [{values}]);\npg.mood = mood;\n"


NAME = "name: text('name').notNull()"
TITLE = "title: pg.varchar('title', { length: 20 }).notNull(),"
POSTS = """const posts = exports.posts = pg.pgTable('posts', { id: pg.serial('id').primaryKey(),
  TITLE count: COUNT('count').default(1),
  user: pg.integer('user').references(() => users.id, { onDelete: 'cascade' }) });
"""
OLD = POSTS.replace("TITLE", TITLE).replace("COUNT", "pg.integer")
NEW = POSTS.replace("TITLE", "title: pg.text('title').notNull(),").replace(
    "COUNT('count')", "pg.bigint('count', { mode: 'number' })"
)
BOTH = users() + NEW
MOODY = f"{NAME}, mood: mood('mood').notNull().default('ok')"
BOUND = f"{NAME}, mail: text('mail'), age: integer('age')"
AS_TEXT = BOUND.replace("integer('age')", "text('age')")
BOUNDS = (
    "pg.index('by_name').on(t.name), pg.uniqueIndex('by_mail').on(t.mail).where(sql`age > 1`), "
    "pg.unique('one_age').on(t.age, t.name), pg.check('old', sql`${t.age} > 0`)"
)
LIKES = """exports.likes = pg.pgTable('likes',
  { user: pg.integer('user'), post: pg.integer('post') },
  (t) => [pg.primaryKey({ columns: [t.user, t.post] }),
    pg.foreignKey({ columns: [t.post], foreignColumns: [posts.id], name: 'likes_post' })]);
exports.nodes = pg.pgTable('nodes', { id: pg.serial('id').primaryKey(), up: pg.integer('up') },
  (t) => [pg.foreignKey({ columns: [t.up], foreignColumns: [t.id], name: 'nodes_up' })]);
"""
VIEW = "exports.names = pg.pgView('names').as((qb) => qb.select({ n: users.name }).from(users));\n"
OTHER = "exports.names = pg.pgView('names').as((qb) => qb.select({ i: users.id }).from(users));\n"
HEAP = (
    "exports.heap = pg.pgMaterializedView('heap').as((qb) => "
    "qb.select({ i: posts.id }).from(posts));\n"
)
AUDIT = """const audit = exports.audit = pg.pgSchema('audit');
const kind = exports.kind = audit.enum('kind', ['a', 'b']);
exports.log = audit.table('log', { id: pg.integer('id').generatedAlwaysAsIdentity().primaryKey(),
  kind: kind('kind').default('a'), user: pg.integer('user').references(() => users.id),
  tags: pg.text('tags').array(), full: pg.text('full').generatedAlwaysAs(sql`'x'`) });
exports.numbers = pg.pgSequence('numbers', { startWith: 7, increment: 2 });
"""

STEPS = (
    Step("tables", users() + OLD),
    Step("columns", users(f"{NAME}, age: integer('age'), n: integer('n').default(3)") + OLD),
    Step("columns_gone", users() + OLD, "C"),
    Step("enum", mood("'ok', 'sad'") + users(MOODY) + OLD),
    Step("enum_value", mood("'ok', 'meh', 'sad', 'x, y'") + users(MOODY) + OLD, "D"),
    Step("enum_value_gone", mood("'ok', 'sad'") + users(MOODY) + OLD, "C"),
    Step("enum_gone", users() + OLD, "C"),
    Step("bounds", users(BOUND, BOUNDS) + OLD),
    Step("bounds_gone", users(BOUND) + OLD),
    Step("wider", users(BOUND) + NEW),
    Step("number_to_text", users(AS_TEXT) + NEW),
    Step("null", users(AS_TEXT.replace(".notNull()", ".default('x')")) + NEW),
    Step("not_null", users(AS_TEXT) + NEW),
    Step("columns_and_tables", BOTH + LIKES, "C"),
    Step("views", BOTH + LIKES + VIEW + HEAP),
    Step("other_view", BOTH + LIKES + OTHER),
    Step("schema", BOTH + LIKES + AUDIT),
    Step("tables_gone", users() + AUDIT, "C"),
    Step("all_gone", users(), "C"),
)

FULL = "full: text('full').notNull()"
MIXED = f"{FULL}, older: text('older'), fresh: integer('fresh')"
RENAMES = (
    Step("begin", users(f"{NAME}, old: text('old'), gone: text('gone')") + OLD),
    Step(
        "columns",
        users(MIXED) + OLD,
        "C",
        (
            ("column", ["public", "users", "name"], ["public", "users", "full"]),
            ("column", ["public", "users", "old"], ["public", "users", "older"]),
        ),
        (("column", ["public", "users", "fresh"]),),
    ),
    Step(
        "table",
        users(MIXED).replace("pgTable('users'", "pgTable('people'") + OLD,
        "A",
        (("table", ["public", "users"], ["public", "people"]),),
    ),
)
"""A column each that is renamed, made and dropped, and then a table with foreign keys to it."""
