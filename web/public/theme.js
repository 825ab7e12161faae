// Before first paint: theme and language, so nothing flashes.
(function () {
  var query = new URLSearchParams(location.search), root = document.documentElement;
  root.dataset.theme = query.get('theme') || localStorage.theme || (matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light');
  root.lang = query.get('lang') || localStorage.lang || ((navigator.language || 'en').slice(0, 2) === 'ko' ? 'ko' : 'en');
})();
