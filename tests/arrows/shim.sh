#!/bin/sh
# Stands before docker, mv, rm, cp and touch on the PATH of a test, and before Compose in its HOME. It counts the calls that change
# something, and at one of them it ends all that the script has running, as a loss of power would.
name=${0##*/}
PATH=$SHIM_PATH
changes=yes
if [ "$name" = docker ]; then
	case " $* " in
	*" stop "* | *" start "* | *" rm "* | *" connect "* | *" disconnect "*) ;;
	*" network create "* | *" pull "*) ;;
	*) changes=no ;;
	esac
elif [ "$name" = docker-compose ]; then
	case " $* " in
	*" up "*) ;;
	*) changes=no ;;
	esac
fi
if [ $changes = yes ]; then
	echo "$name $*" >>"$SHIM_CALLS"
	if [ "$(grep -c '' "$SHIM_CALLS")" = "${SHIM_DIES_AT:-0}" ]; then
		kill -9 0
	fi
fi
if [ -n "${SHIM_BEFORE-}" ]; then
	# shellcheck disable=SC1090 # a test's own lines
	. "$SHIM_BEFORE"
fi
[ "$name" != docker-compose ] || name=$SHIM_COMPOSE
exec "$name" "$@"
