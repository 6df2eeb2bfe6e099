#!/bin/sh
# Makes the cluster on first start, then becomes the server. POSTGRES_PASSWORD is required then;
# POSTGRES_USER is `postgres` and POSTGRES_DB is the user's name unless they are given.
set -eu

if [ "$1" != postgres ]; then exec "$@"; fi

if [ "$(id -u)" = 0 ]; then
    chown postgres:postgres "$PGDATA"
    chmod 0700 "$PGDATA"
    exec setpriv --reuid=postgres --regid=postgres --init-groups -- "$0" "$@"
fi

if [ ! -s "$PGDATA/PG_VERSION" ]; then
    password=${POSTGRES_PASSWORD:?is needed to make the database}
    user=${POSTGRES_USER:-postgres}
    database=${POSTGRES_DB:-$user}
    # Everything is made aside, and PG_VERSION moves last: a start that is cut short leaves no
    # half-made cluster behind that the next start would take for a whole one.
    fresh=$PGDATA/fresh
    find "$PGDATA" -mindepth 1 -delete
    printf '%s\n' "$password" >/run/postgresql/password
    initdb --pgdata="$fresh" --username="$user" --pwfile=/run/postgresql/password \
        --auth-local=trust --auth-host=scram-sha-256 --encoding=UTF8 --locale=C.UTF-8
    rm -f /run/postgresql/password
    if [ "$database" != postgres ]; then
        quoted=$(printf '%s' "$database" | sed 's/"/""/g')
        printf 'CREATE DATABASE "%s"\n' "$quoted" | postgres --single -D "$fresh" -j template1
    fi
    echo 'host all all all scram-sha-256' >>"$fresh/pg_hba.conf"
    echo "listen_addresses = '*'" >>"$fresh/postgresql.conf"
    find "$fresh" -mindepth 1 -maxdepth 1 ! -name PG_VERSION -exec mv -t "$PGDATA" {} +
    mv "$fresh/PG_VERSION" "$PGDATA/PG_VERSION"
    rmdir "$fresh"
fi

exec "$@"
