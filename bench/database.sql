-- A shop's rows, about :mb megabytes of them on the disk with their indexes: words that come more or
-- less often, names, numbers, times, UUIDs and JSON, so that they compress as a shop's do. The same
-- rows every time.
select setseed(0.4711) \g /dev/null

create function pg_temp.pick(among text[]) returns text language sql volatile as
  $$ select among[1 + floor(power(random(), 2) * cardinality(among))::int] $$;
create function pg_temp.words(count int) returns text language plpgsql volatile as $$
declare
  known constant text[] := string_to_array(
    'the and of a to in it is for with on was as that at by from you are not this have be or had '
    'parcel order late early blue green red small large left door neighbour please leave call ring '
    'bell gift wrap card address street changed wrong size colour again thanks quick delivery free '
    'return label printed courier waiting since monday friday evening morning before after holiday '
    'invoice company tax number missing paid twice refund voucher code summer winter cotton wool '
    'linen oak steel glass handmade organic washable waterproof lightweight durable limited edition '
    'collection designer warranty battery charger cable adapter screen cover lamp chair table shelf '
    'drawer cushion blanket towel kettle mug plate bowl knife fork spoon pan basket garden shovel',
    ' ');
  found text[] := '{}';
begin
  for n in 1..count loop
    found := found || known[1 + floor(power(random(), 2) * cardinality(known))::int];
  end loop;
  return array_to_string(found, ' ');
end $$;

create type status as enum ('placed', 'paid', 'sent', 'delivered', 'returned');
create table customers (
  id integer primary key, name text not null, email text not null unique, address jsonb not null,
  created_at timestamptz not null
);
create table products (
  id integer primary key, title text not null, description text not null,
  price numeric(10, 2) not null
);
create table orders (
  id integer primary key, customer_id integer not null references customers,
  status status not null, total numeric(10, 2) not null, note text, placed_at timestamptz not null
);
create table order_lines (
  order_id integer references orders, line smallint, product_id integer not null references products,
  quantity smallint not null, price numeric(10, 2) not null, primary key (order_id, line)
);
create table events (
  id bigint primary key, at timestamptz not null, kind text not null, session uuid not null,
  customer_id integer references customers, payload jsonb not null
);

insert into customers
  select n, initcap(given || ' ' || family), format('%s.%s.%s@%s', given, family, n, provider),
         jsonb_build_object('street', initcap(pg_temp.words(2)), 'number', ceil(random() * 200),
           'city', initcap(family) || 'ville', 'zip', lpad(floor(random() * 100000)::text, 5, '0')),
         timestamptz '2021-01-01' + n * interval '11 minutes' * random()
    from generate_series(1, 300 * :mb) n,
         lateral (select pg_temp.pick('{mary,john,ada,li,noor,ivan,ana,tom,eva,max,zoe,kai}') given,
           pg_temp.pick('{smith,okafor,chen,garcia,novak,rossi,khan,meyer,silva,sato}') family,
           pg_temp.pick('{example.com,example.org,mail.example,post.example}') provider
           where n > 0) names;
insert into products
  select n, initcap(pg_temp.words(3)), pg_temp.words(60), round((3 + random() * 400)::numeric, 2)
    from generate_series(1, 40 * :mb) n;
insert into orders
  select n, ceil(random() * 300 * :mb), pg_temp.pick('{delivered,sent,paid,returned,placed}')::status,
         round((5 + random() * 900)::numeric, 2),
         case when random() < 0.3 then pg_temp.words(5 + floor(random() * 20)::int) end,
         timestamptz '2023-01-01' + n * interval '73 seconds' + random() * interval '1 minute'
    from generate_series(1, 1000 * :mb) n;
insert into order_lines
  select o.id, line, ceil(power(random(), 2) * 40 * :mb), ceil(random() * 4),
         round((3 + random() * 400)::numeric, 2)
    from orders o, generate_series(1, 1 + o.id % 4) line;
insert into events
  select n, timestamptz '2024-01-01' + n * interval '9 seconds' + random() * interval '9 seconds',
         pg_temp.pick('{view,search,basket,login,checkout,logout}'), md5(random()::text)::uuid,
         case when random() < 0.6 then ceil(random() * 300 * :mb) end,
         jsonb_build_object('path', '/' || replace(pg_temp.words(2), ' ', '/'),
           'ms', round((random() * 800)::numeric, 1), 'ip', format('203.0.113.%s', n % 256),
           'agent', pg_temp.pick('{"Firefox/140.0 (X11; Linux x86_64)","Safari/605.1.15 (iPhone)",'
             '"Chrome/138.0.0.0 (Windows NT 10.0; Win64; x64)","curl/8.14"}'))
    from generate_series(1, 1800 * :mb) n;

create index orders_customer on orders (customer_id);
create index orders_placed on orders (placed_at);
create index order_lines_product on order_lines (product_id);
create index events_session on events (session);
create index events_customer_at on events (customer_id, at);

create schema drizzle;
create table drizzle.__drizzle_migrations
  (id serial primary key, hash text not null, created_at bigint);
insert into drizzle.__drizzle_migrations (hash, created_at) values (md5('first'), 1);
vacuum (analyze);
