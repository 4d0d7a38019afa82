//! The whole program, seen from outside: one file a feature, through the harness of `testkit`.

#![cfg(test)]

mod cli;
mod crash;
mod disk;
mod docs;
mod ffmpeg;
mod files;
mod gstreamer;
mod limits;
mod logs;
mod obs;
mod pace;
mod play;
mod players;
mod publish;
mod record;
mod recovery;
mod rejoin;
mod rotation;
mod space;
mod stats;
mod support;
