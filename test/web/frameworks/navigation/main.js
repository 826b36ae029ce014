// A router that uses only the Navigation API: links are intercepted, nothing calls pushState.
const show = () => {
  document.getElementById('app').textContent = location.pathname;
};
navigation.addEventListener('navigate', (event) => {
  if (event.canIntercept && !event.hashChange && !event.downloadRequest)
    event.intercept({ handler: async () => show() });
});
show();
