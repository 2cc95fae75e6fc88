/*
 * Crossdock's relay for SharpSpring Ads (Perfect Audience), for the pages of a shop.
 *
 *   <script src="https://gateway.example/relay/sharpspring-ads.js" async onload='crossdockRelay.start({
 *     gateway: "https://gateway.example", writeKey: "…"})'></script>
 *
 * Call start() once the visitor has consented. The shop loads the vendor's tag itself; without it nothing is
 * asked for and nothing is pushed. anonymousId (a text or a function) defaults to the one of Segment's library.
 */
(() => {
  "use strict";
  if (window.crossdockRelay) return;

  const STORE = "crossdock_relay";
  const REMEMBERED = 200;
  const ANSWERS_AT_ONCE = 50;
  const TAG_MS = 10000;
  const LOOK_MS = 100;
  const WAIT_SECONDS = 20;
  const BACKOFF_MS = 60000;
  let running = null;

  const pause = (ms) => new Promise((done) => setTimeout(done, ms));

  // The tag: once loaded it replaces the array by an object that has only push.

  const tagged = () => {
    const queue = window._pq;
    return Boolean(queue) && !Array.isArray(queue) && typeof queue.push === "function";
  };

  const tagLoads = async (me) => {
    for (let waited = 0; waited < TAG_MS && running === me; waited += LOOK_MS) {
      if (tagged()) return true;
      await pause(LOOK_MS);
    }
    return running === me && tagged();
  };

  // Memory: the last commands and their outcomes, over pages and tabs, so that none is pushed twice.

  let unsaved = null; // what this page alone remembers, where the browser keeps nothing for us

  const memory = () => {
    if (unsaved) return unsaved;
    try {
      const kept = JSON.parse(localStorage.getItem(STORE));
      return Array.isArray(kept) ? kept : [];
    } catch {
      return [];
    }
  };

  const remember = (entry) => {
    const kept = memory().filter((other) => other.id !== entry.id);
    kept.push(entry);
    const latest = kept.slice(-REMEMBERED);
    try {
      localStorage.setItem(STORE, JSON.stringify(latest));
    } catch {
      unsaved = latest; // private browsing, or no room
    }
  };

  // Commands: exactly the two that are documented. The tag calls whatever it is told by name, so anything
  // else could reach its inside.

  const isText = (value) => typeof value === "string" && value.trim() !== "";

  const isOrder = (told) =>
    Object.prototype.toString.call(told) === "[object Object]" &&
    Object.keys(told).length > 0 &&
    Object.entries(told).every(([name, value]) =>
      name === "orderId" ? isText(value) : name === "revenue" && Number.isFinite(value) && value > 0,
    );

  const isCommand = (cmd) => {
    if (!Array.isArray(cmd) || !isText(cmd[1])) return false;
    if (cmd[0] === "trackProduct") return cmd.length === 2;
    return cmd[0] === "track" && (cmd.length === 2 || (cmd.length === 3 && isOrder(cmd[2])));
  };

  const push = (entry, cmd) => {
    // Noted first: should the page end within the push, it must not be done again.
    remember({ ...entry, outcome: "error", error: "the page ended while the tag worked" });
    try {
      // A copy, as the tag takes the first element off. False: no audience or conversion of that name.
      const matched = window._pq.push(JSON.parse(JSON.stringify(cmd)));
      remember({ ...entry, outcome: matched === false ? "unmatched" : "fired" });
    } catch (fault) {
      remember({ ...entry, outcome: "error", error: String(fault).slice(0, 200) });
    }
  };

  const carryOut = (visitor, commands) => {
    const known = new Map(memory().map((entry) => [entry.id, entry]));
    for (const { id, cmd } of [...commands].sort((one, other) => one.seq - other.seq)) {
      const earlier = known.get(id);
      if (earlier) remember({ ...earlier, told: false }); // pushed before; only the answer was lost
      else if (!isCommand(cmd)) remember({ id, visitor, outcome: "error", error: "not a command of this script" });
      else if (!tagged()) return; // unanswered it waits for another page
      else push({ id, visitor }, cmd);
    }
  };

  // The gateway.

  class Refused extends Error {}

  const visitorOf = ({ anonymousId }) => {
    const given = typeof anonymousId === "function" ? anonymousId() : anonymousId;
    if (given) return given;
    try {
      const stored = localStorage.getItem("ajs_anonymous_id");
      if (stored) return stored.startsWith('"') ? JSON.parse(stored) : stored;
    } catch {
      // no storage, or not ours to read
    }
    const cookie = /(?:^|; )ajs_anonymous_id=([^;]+)/.exec(document.cookie);
    return cookie ? decodeURIComponent(cookie[1]).replace(/^"|"$/g, "") : null;
  };

  const checked = async (response) => {
    if (response.ok) return response.status === 204 ? {} : response.json();
    const told = await response.json().catch(() => ({}));
    const final = response.status >= 400 && response.status < 500 && response.status !== 429;
    const fault = final ? new Refused(`${response.status} ${told.message || ""}`) : new Error("try again");
    fault.retryAfterMs = told.retryAfterMs;
    throw fault;
  };

  const ask = (me, visitor) => {
    const query = new URLSearchParams({
      writeKey: me.options.writeKey,
      anonymousId: visitor,
      wait: WAIT_SECONDS,
    });
    if (me.options.visitorToken) query.set("visitorToken", me.options.visitorToken);
    me.asking = new AbortController();
    return fetch(`${me.gateway}/relay/v1/commands?${query}`, {
      cache: "no-store",
      credentials: "omit",
      signal: me.asking.signal,
    }).then(checked);
  };

  const answers = (me, visitor) => {
    const open = memory().filter((entry) => entry.visitor === visitor && !entry.told).slice(0, ANSWERS_AT_ONCE);
    const results = open.map(({ id, outcome, error }) => ({ id, outcome, error }));
    const { writeKey, visitorToken } = me.options;
    return { open, body: JSON.stringify({ writeKey, anonymousId: visitor, visitorToken, results }) };
  };

  const tell = async (me, visitor) => {
    for (let told = answers(me, visitor); told.open.length; told = answers(me, visitor)) {
      // As plain text the request needs no leave asked for, so it also outlives the page.
      await fetch(`${me.gateway}/relay/v1/ack`, {
        method: "POST",
        body: told.body,
        headers: { "Content-Type": "text/plain" },
        credentials: "omit",
        keepalive: true,
      }).then(checked);
      for (const entry of told.open) remember({ ...entry, told: true });
    }
  };

  // The loop: ask while the page is visible, push, answer.

  const visible = () =>
    new Promise((done) => {
      const look = () => {
        if (document.visibilityState !== "visible") return;
        document.removeEventListener("visibilitychange", look);
        done();
      };
      document.addEventListener("visibilitychange", look);
      look();
    });

  const turn = async (me) => {
    const visitor = visitorOf(me.options);
    if (!visitor) return 1000;
    await tell(me, visitor);
    const { commands = [], retryAfterMs = 0 } = await ask(me, visitor);
    carryOut(visitor, commands);
    await tell(me, visitor);
    return retryAfterMs;
  };

  const run = async (me) => {
    if (!(await tagLoads(me))) return;
    for (let failures = 0; running === me; ) {
      await visible();
      if (running !== me) return;
      try {
        await pause(await turn(me));
        failures = 0;
      } catch (fault) {
        if (fault instanceof Refused) {
          console.warn("crossdockRelay stops:", fault.message);
          return;
        }
        if (fault.name === "AbortError") continue; // hidden or stopped
        failures += 1;
        const most = Math.min(BACKOFF_MS, 500 * 2 ** failures);
        await pause(Math.max(fault.retryAfterMs || 0, most * (0.5 + Math.random() / 2)));
      }
    }
  };

  const leave = () => {
    const visitor = running && visitorOf(running.options);
    if (!visitor) return;
    const { open, body } = answers(running, visitor);
    if (open.length) navigator.sendBeacon(`${running.gateway}/relay/v1/ack`, body);
  };

  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState !== "hidden" || !running) return;
    if (running.asking) running.asking.abort();
    leave();
  });
  window.addEventListener("pagehide", leave);

  const stop = () => {
    const me = running;
    running = null;
    if (me && me.asking) me.asking.abort();
  };

  const start = (options) => {
    if (!options || !isText(options.gateway) || !isText(options.writeKey)) {
      throw new TypeError("crossdockRelay.start needs gateway and writeKey");
    }
    stop();
    running = { options, gateway: options.gateway.replace(/\/+$/, ""), asking: null };
    run(running);
  };

  window.crossdockRelay = Object.freeze({ start, stop });
})();
