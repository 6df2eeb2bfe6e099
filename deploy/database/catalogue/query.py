"""The query that turns PostgreSQL's catalogue into one line of JSON.

Each list holds the arguments of the dataclass of `catalogue.py` of the same name, in their order.
Written for 14 to 18: it uses no column that one of them lacks. Names and expressions are printed
with an empty `search_path`, so that they do not depend on who asks. What belongs to an extension
is left out, and so are the constraints and triggers that PostgreSQL makes for its own use.
"""

from __future__ import annotations

QUERY = r"""
begin read only;
set local search_path = '';
with extension as materialized (
  select classid, objid from pg_catalog.pg_depend where deptype = 'e'
), space as materialized (
  select n.* from pg_catalog.pg_namespace n
  where n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
    and not exists (select from extension e
                    where e.classid = 'pg_catalog.pg_namespace'::regclass and e.objid = n.oid)
), class as materialized (
  select c.*, n.nspname from pg_catalog.pg_class c join space n on n.oid = c.relnamespace
  where not exists (select from extension e
                    where e.classid = 'pg_catalog.pg_class'::regclass and e.objid = c.oid)
), relation as materialized (
  select * from class where relkind in ('r', 'p', 'f', 'v', 'm', 'S', 'c')
), col as (
  select a.attrelid, json_agg(json_build_array(
      a.attnum, a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod),
      a.atttypid::int8, a.atttypmod,
      a.attnotnull or t.typtype = 'd' and t.typnotnull,
      coalesce(pg_catalog.pg_get_expr(d.adbin, d.adrelid),
               case when t.typtype = 'd' then t.typdefault end),
      a.attidentity, a.attgenerated,
      (select json_agg(x.grantee::regrole || ' ' || x.privilege_type
                       order by x.grantee, x.privilege_type)
       from pg_catalog.aclexplode(a.attacl) x)
    ) order by a.attnum) as columns
  from relation c
  join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
  join pg_catalog.pg_type t on t.oid = a.atttypid
  left join pg_catalog.pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
  where c.relkind <> 'S'
  group by a.attrelid
)
select json_build_object(
'version', current_setting('server_version_num')::int,
'schemas', (select json_agg(json_build_array(n.oid::int8, n.nspname,
    (select json_agg(x.grantee::regrole || ' ' || x.privilege_type
                     order by x.grantee, x.privilege_type)
     from pg_catalog.aclexplode(coalesce(n.nspacl, pg_catalog.acldefault('n', n.nspowner))) x)
  ) order by n.oid) from space n),
'relations', (select json_agg(json_build_array(
    c.oid::int8, c.relnamespace::int8, c.nspname, c.relname, c.relkind,
    coalesce(col.columns, '[]'), c.relrowsecurity, c.relforcerowsecurity,
    case when c.relkind in ('v', 'm')
      then pg_catalog.md5(pg_catalog.pg_get_viewdef(c.oid)) || coalesce(c.reloptions::text, '')
    end,
    coalesce((select i.inhparent::int8 from pg_catalog.pg_inherits i
              where i.inhrelid = c.oid and c.relispartition limit 1), 0),
    c.relkind = 'S' and exists (
      select from pg_catalog.pg_depend d
      where d.classid = 'pg_catalog.pg_class'::regclass and d.objid = c.oid
        and d.refclassid = 'pg_catalog.pg_class'::regclass and d.refobjsubid > 0
        and d.deptype in ('a', 'i')),
    (select json_agg(x.grantee::regrole || ' ' || x.privilege_type
                     order by x.grantee, x.privilege_type)
     from pg_catalog.aclexplode(coalesce(c.relacl, pg_catalog.acldefault(
       case c.relkind when 'S' then 's'::"char" else 'r'::"char" end, c.relowner))) x)
  ) order by c.oid) from relation c left join col on col.attrelid = c.oid),
'constraints', (select json_agg(json_build_array(
    o.oid::int8, o.conrelid::int8, o.contypid::int8, o.conname, o.contype,
    coalesce(o.conkey, '{}'), pg_catalog.pg_get_constraintdef(o.oid), o.convalidated
  ) order by o.oid)
  from pg_catalog.pg_constraint o join space n on n.oid = o.connamespace
  where o.contype in ('c', 'f', 'p', 'u', 'x') and o.conparentid = 0
    and o.conislocal
    and (o.conrelid = 0 or o.conrelid in (select oid from relation))
    and not exists (select from extension e where e.objid in (o.contypid, o.oid)
      and e.classid in ('pg_catalog.pg_type'::regclass, 'pg_catalog.pg_constraint'::regclass))),
'indexes', (select json_agg(json_build_array(
    c.oid::int8, i.indrelid::int8, c.nspname, c.relname, i.indisunique, i.indisvalid,
    (select coalesce(json_agg(distinct k), '[]') from (
       select unnest(i.indkey::int2[]) as k
       union all
       select d.refobjsubid from pg_catalog.pg_depend d
       where i.indexprs is not null and d.classid = 'pg_catalog.pg_class'::regclass
         and d.objid = c.oid and d.refobjid = i.indrelid and d.refobjsubid > 0) ks where k <> 0),
    i.indexprs is not null,
    pg_catalog.regexp_replace(pg_catalog.pg_get_indexdef(c.oid), '^.*? USING ', '')
  ) order by c.oid)
  from class c join pg_catalog.pg_index i on i.indexrelid = c.oid
  where not c.relispartition and i.indrelid in (select oid from relation)),
'types', (select json_agg(json_build_array(
    t.oid::int8, t.typnamespace::int8, n.nspname, t.typname, t.typtype,
    (select coalesce(json_agg(json_build_array(v.oid::int8, v.enumlabel) order by v.enumsortorder),
                     '[]') from pg_catalog.pg_enum v where v.enumtypid = t.oid),
    case when t.typtype = 'd' then pg_catalog.format_type(t.typbasetype, t.typtypmod) else '' end,
    t.typnotnull, t.typdefault,
    (select json_agg(x.grantee::regrole || ' ' || x.privilege_type
                     order by x.grantee, x.privilege_type)
     from pg_catalog.aclexplode(coalesce(t.typacl, pg_catalog.acldefault('T', t.typowner))) x)
  ) order by t.oid)
  from pg_catalog.pg_type t join space n on n.oid = t.typnamespace
  where t.typtype in ('e', 'd', 'r')
    and not exists (select from extension e
                    where e.classid = 'pg_catalog.pg_type'::regclass and e.objid = t.oid)),
'functions', (select json_agg(json_build_array(
    p.oid::int8, p.pronamespace::int8, n.nspname, p.proname, p.prokind,
    pg_catalog.pg_get_function_identity_arguments(p.oid),
    pg_catalog.md5(case when p.prokind = 'a'
      then (select a::text from pg_catalog.pg_aggregate a where a.aggfnoid = p.oid)
      else pg_catalog.pg_get_functiondef(p.oid) end),
    (select json_agg(x.grantee::regrole || ' ' || x.privilege_type
                     order by x.grantee, x.privilege_type)
     from pg_catalog.aclexplode(coalesce(p.proacl, pg_catalog.acldefault('f', p.proowner))) x)
  ) order by p.oid)
  from pg_catalog.pg_proc p join space n on n.oid = p.pronamespace
  where not exists (select from extension e
                    where e.classid = 'pg_catalog.pg_proc'::regclass and e.objid = p.oid)
    and not exists (select from pg_catalog.pg_depend d
                    where d.classid = 'pg_catalog.pg_proc'::regclass and d.objid = p.oid
                      and d.deptype = 'i')),
'triggers', (select json_agg(json_build_array(x.oid, x.rel, x.name, x.definition, x.enabled)
                             order by x.oid)
  from (
    select t.oid::int8 as oid, t.tgrelid::int8 as rel, t.tgname as name,
      pg_catalog.pg_get_triggerdef(t.oid) as definition, t.tgenabled <> 'D' as enabled
    from pg_catalog.pg_trigger t
    where not t.tgisinternal and t.tgparentid = 0
      and t.tgrelid in (select oid from relation)
    union all
    select r.oid::int8, r.ev_class::int8, r.rulename, pg_catalog.pg_get_ruledef(r.oid),
      r.ev_enabled <> 'D'
    from pg_catalog.pg_rewrite r
    where r.rulename <> '_RETURN' and r.ev_class in (select oid from relation)) x),
'policies', (select json_agg(json_build_array(
    p.oid::int8, p.polrelid::int8, p.polname, p.polpermissive,
    json_build_array(p.polcmd,
      (select json_agg(case r when 0 then 'public' else pg_catalog.pg_get_userbyid(r) end)
       from unnest(p.polroles) r),
      pg_catalog.pg_get_expr(p.polqual, p.polrelid),
      pg_catalog.pg_get_expr(p.polwithcheck, p.polrelid))::text
  ) order by p.oid)
  from pg_catalog.pg_policy p where p.polrelid in (select oid from relation)),
'extensions', (select json_agg(json_build_array(x.oid::int8, x.extname, x.extversion)
                               order by x.oid)
  from pg_catalog.pg_extension x)
)::jsonb::text;
commit;
"""
