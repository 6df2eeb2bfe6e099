"""What the real database is asked, so that the throw-away server is like it."""

from __future__ import annotations

ABOUT = r"""
select translate(json_build_object(
    'user', current_user,
    'owner', (select rolname from pg_roles where oid = 10),
    'encoding', pg_encoding_to_char(encoding),
    'locks', current_setting('max_locks_per_transaction')::int,
    'preload', coalesce((select setting from pg_settings
                          where name = 'shared_preload_libraries'), '')
  )::text, e'\n', ' ') from pg_database where datname = current_database();
"""
"""As one object: who we are there, who made the server (its first superuser has the OID 10), and
what an extension may need before it can be created."""

ROLES = r"""
select format('create role %I with %s', rolname, concat_ws(' ',
    case when rolname = current_user then 'login' else 'nologin' end,
    case when rolsuper then 'superuser' end,
    case when rolcreatedb then 'createdb' end,
    case when rolcreaterole then 'createrole' end,
    case when rolreplication then 'replication' end,
    case when rolbypassrls then 'bypassrls' end,
    case when not rolinherit then 'noinherit' end)) || ';'
  from pg_roles where rolname !~ '^pg_' and oid <> 10 order by oid;
select format('grant %I to %I', r.rolname, m.rolname) || case
    when to_jsonb(a) ? 'inherit_option' then format(' with admin %s, inherit %s, set %s',
      to_jsonb(a) ->> 'admin_option', to_jsonb(a) ->> 'inherit_option',
      to_jsonb(a) ->> 'set_option')
    when a.admin_option then ' with admin option' else '' end || ';'
  from pg_auth_members a join pg_roles r on r.oid = a.roleid join pg_roles m on m.oid = a.member
 where m.rolname !~ '^pg_';
select format(E'begin;\nselect set_config(%L, %L, true) \\g /dev/null\n'
    'alter role %I set %I from current;\ncommit;',
    split_part(one, '=', 1), substr(one, strpos(one, '=') + 1), rolname, split_part(one, '=', 1))
  from pg_roles, unnest(rolconfig) one where rolname !~ '^pg_';
"""
"""The statements that make the roles of a server again: without passwords, and with a login
for nobody but the one who asks. Settings go through `set_config`, which takes a list as it is
stored."""
