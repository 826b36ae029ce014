import { createElement as h } from 'react';
import { createRoot } from 'react-dom/client';
import { BrowserRouter, Link, Navigate, Route, Routes } from 'react-router';

const page = (name) => h('h1', null, name);
createRoot(document.getElementById('app')).render(
  h(
    BrowserRouter,
    { basename: document.body.dataset.base },
    h('nav', null, ...['a', 'b', 'c', 'old'].map((to) => h(Link, { key: to, id: `to-${to}`, to: `/${to}` }, to))),
    h(
      Routes,
      null,
      ...['a', 'b', 'c'].map((name) => h(Route, { key: name, path: `/${name}`, element: page(name) })),
      h(Route, { path: '/old', element: h(Navigate, { to: '/c', replace: true }) }),
    ),
  ),
);
