//! The room from outside: real catalog, real blob store, real folders.

mod archiving;
mod collecting;
mod concurrent;
mod folder;
mod hostile;
mod loading;
mod model;
mod planning;
mod staging;
mod states;
mod world;
