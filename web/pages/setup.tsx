import { mount, Page } from '../shell.tsx';

mount(
  <Page here="/setup">
    <h1>Set up</h1>
  </Page>,
);
