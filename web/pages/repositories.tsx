import { mount, Page } from '../shell.tsx';

mount(
  <Page here="/repositories">
    <h1>Repositories</h1>
  </Page>,
);
