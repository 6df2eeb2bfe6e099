/**
 * Misbehaviour on demand, baked into a version by the build argument BEHAVIOUR, so that a deploy
 * can be watched meeting a version that is bad in a known way.
 */

const WORDS = [
  "slow-start",
  "never-healthy",
  "late-unhealthy",
  "crash-loop",
  "error-500",
  "no-login",
  "deaf",
  "abrupt",
] as const;

export type Behaviour = (typeof WORDS)[number];

const CONFINE = "bad-on=";

function isBehaviour(word: string): word is Behaviour {
  return (WORDS as readonly string[]).includes(word);
}

/**
 * What a comma list such as `slow-start,error-500,bad-on=web-2` means on the host `hostName`.
 *
 * `bad-on=HOST`, which may be given more than once, confines all words of the list to that host.
 *
 * @throws Error that names the fault, for an unknown word or a list that makes no sense.
 */
export function behavioursOn(list: string, hostName: string): ReadonlySet<Behaviour> {
  const behaviours = new Set<Behaviour>();
  const badHosts = new Set<string>();
  for (const word of list.split(",").map((part) => part.trim())) {
    if (word === "") continue;
    if (word.startsWith(CONFINE)) {
      const host = word.slice(CONFINE.length);
      if (host === "") throw new Error("SHOP_BEHAVIOUR: bad-on= needs the name of a host");
      badHosts.add(host);
    } else if (isBehaviour(word)) {
      behaviours.add(word);
    } else {
      const known = [...WORDS, `${CONFINE}HOST`].join(", ");
      throw new Error(`SHOP_BEHAVIOUR: unknown word "${word}"; known are ${known}`);
    }
  }
  if (behaviours.has("deaf") && behaviours.has("abrupt")) {
    throw new Error("SHOP_BEHAVIOUR: deaf and abrupt contradict each other");
  }
  if (badHosts.size > 0 && behaviours.size === 0) {
    throw new Error("SHOP_BEHAVIOUR: bad-on= needs a behaviour beside it");
  }
  if (badHosts.size > 0 && !badHosts.has(hostName)) return new Set();
  return behaviours;
}
