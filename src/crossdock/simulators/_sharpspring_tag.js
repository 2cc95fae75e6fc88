/*
 * A double of the vendor's generated tag, written from what public archives show of it. It behaves as badly as
 * the real one: it takes the first element off the list it is given, calls whatever it is told by name, stops
 * at the first command that throws, and then leaves the queue as it was.
 */
(function () {
  var settings = /*settings*/ {};

  function load() {
    var pa = (window._pa = window._pa || {});
    pa.segmentEvents = Object.keys(settings.audiences);
    pa.conversionEvents = Object.keys(settings.conversions);
    pa.util = {
      // The inside that content of a queue must never reach.
      addScript: function (source) {
        var script = document.createElement("script");
        script.src = source;
        document.head.appendChild(script);
      },
    };

    var ran = (window.__tagRan = window.__tagRan || []);
    var skips = /iPad|iPhone|iPod|MSIE 7/.test(navigator.userAgent);
    var own = "source=js_tag&a_id=" + settings.advertiser;

    function request(pixel) {
      if (!skips) new Image().src = settings.pixels + pixel;
    }

    function other() {
      var letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
      var text = "";
      while (text.length < 16) text += letters[Math.floor(Math.random() * letters.length)];
      return text;
    }

    pa.track = function (event, order) {
      var told = order || {};
      var matched = false;
      if (Object.prototype.hasOwnProperty.call(settings.audiences, event)) {
        var segment = settings.audiences[event];
        request("/seg?t=2&add=" + segment + (told.segment_value ? ":" + told.segment_value : ""));
        request("/seg/?add=" + segment + "&" + own);
        matched = true;
      }
      if (Object.prototype.hasOwnProperty.call(settings.conversions, event)) {
        var orderId = String(told.orderId || pa.orderId || "").split("@")[0];
        var revenue = told.revenue || pa.revenue;
        var query = "id=" + settings.conversions[event];
        if (orderId) query += "&order_id=" + encodeURIComponent(orderId);
        if (revenue) query += "&value=" + revenue;
        query += "&other=" + other();
        request("/px?t=2&" + query);
        request("/px/?" + query + "&" + own);
        matched = true;
      }
      return matched;
    };

    pa.trackProduct = function (product) {
      request("/seg/?add=" + settings.all_visitors + ":" + encodeURIComponent(product) + "&" + own);
      return true;
    };

    function run(command) {
      ran.push(command.slice());
      var path = command.shift().split(".");
      var holder = pa;
      while (path.length > 1) holder = holder[path.shift()];
      return holder[path[0]].apply(holder, command);
    }

    var queued = window._pq || [];
    for (var i = 0; i < queued.length; i += 1) run(queued[i]);
    window._pq = { push: run };
  }

  if (settings.slow_load_ms) setTimeout(load, settings.slow_load_ms);
  else load();
})();
