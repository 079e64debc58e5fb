/* For browsers without modules, so without passkey.js: show what the page has for those that cannot use passkeys. */
(function () {
  function each(selector, change) {
    var found = document.querySelectorAll(selector);
    for (var index = 0; index < found.length; index++) change(found[index]);
  }
  var why = "This browser cannot use passkeys here. Please use a current version of Chrome, Edge, Firefox or Safari.";
  function read(element) {
    try {
      why = JSON.parse(element.innerHTML).unsupported || why;
    } catch (error) {
      // the module says so, in browsers that developers use
    }
  }
  each("script[data-passkey-translation]", read);
  each("script[data-passkey-messages]", read);
  each("[data-passkey-if='unavailable']", function (element) {
    element.removeAttribute("hidden");
  });
  each("[data-passkey-if='waiting']", function (element) {
    element.style.display = "none";
  });
  each("[data-passkey-why]", function (element) {
    element.textContent = why;
  });
})();
