import { createApp, h } from 'vue';
import { createRouter, createWebHashHistory, createWebHistory, RouterLink, RouterView } from 'vue-router';

const { base, hash } = document.body.dataset;
const page = (name) => ({ render: () => h('h1', name) });
const names = ['a', 'b', 'c'];
const router = createRouter({
  history: hash === undefined ? createWebHistory(base) : createWebHashHistory(base),
  routes: [{ path: '/', redirect: '/a' }, ...names.map((name) => ({ path: `/${name}`, component: page(name) }))],
});
createApp({
  render: () => [
    h(
      'nav',
      names.map((to) => h(RouterLink, { id: `to-${to}`, to: `/${to}` }, () => to)),
    ),
    h(RouterView),
  ],
})
  .use(router)
  .mount('#app');
