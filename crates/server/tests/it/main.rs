//! The whole program, seen from outside: one file a feature, through the harness of `testkit`.

#![cfg(test)]

mod allocator;
mod cli;
mod config;
mod crash;
mod disk;
mod docs;
mod ffmpeg;
mod files;
mod gstreamer;
mod guide;
mod hostile;
mod http;
mod limits;
mod logs;
mod mp4;
mod obs;
mod pace;
mod page;
mod pictures;
mod play;
mod players;
mod publish;
mod pyav;
mod range;
mod record;
mod recovery;
mod rejoin;
mod reload;
mod rotation;
mod space;
mod stats;
mod support;
mod watch;
