//! What the command line, the environment and the file say, put together.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

use clap::Args as _;

use super::{PREFIX, Settings, Shown, Source, hash, token};
use crate::cli::{self, Stop};
use crate::config::file::{self, File, Item, PROBLEMS, Value};
use crate::config::problem::{Problem, nearest};
use crate::config::recorder::keys::{self, KEYS};
use crate::config::{Config, Recorder};

/// What the program was started with; secrets may be in it.
#[derive(Clone, Default)]
pub(super) struct Given {
    pub(super) args: Vec<OsString>,
    pub(super) env: BTreeMap<String, OsString>,
}

impl fmt::Debug for Given {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Given(…)")
    }
}

/// The names of all flags of the server, and of its variables and the keys of its file.
pub(in crate::config) fn flags() -> Vec<clap::Arg> {
    Config::augment_args(clap::Command::new("flags")).get_arguments().cloned().collect()
}

/// A value of the file or the environment, as an argument.
struct Layer {
    name: String,
    value: OsString,
    /// Where it comes from, and the variable's name.
    source: Source,
    variable: Option<String>,
}

impl Layer {
    fn arg(&self) -> OsString {
        let mut arg = OsString::from(format!("--{}=", self.name));
        arg.push(&self.value);
        arg
    }

    /// What is wrong with the value, in the words that the flag has for it.
    fn check(&self, file: Option<&Path>) -> Option<Problem> {
        let Err(Stop::Wrong(line)) = cli::parse(["rtmp-server".into(), self.arg()]) else {
            return None;
        };
        let shown = self.variable.as_ref().unwrap_or(&self.name);
        let text = match line.strip_prefix(&format!("-{}", self.name)) {
            Some(rest) => format!("{shown}{}", rest.trim_end_matches("; -help lists all flags")),
            None => line,
        };
        let problem = Problem { key: Some(self.name.clone()), ..Problem::given(text) };
        match self.source {
            Source::File(line) => {
                Some(Problem { file: file.map(Path::to_owned), line: Some(line), ..problem })
            }
            _ => Some(problem),
        }
    }
}

/// A setting's name, its value as it was written, and where that comes from.
type Valued = (String, String, Source);

impl Given {
    pub(super) fn read(
        &self,
        read: impl Fn(&Path) -> std::io::Result<Vec<u8>>,
    ) -> Result<Settings, Vec<Problem>> {
        let wrong = |stop| match stop {
            Stop::Text(text) | Stop::Wrong(text) => vec![Problem::given(text)],
        };
        let path = cli::parse(self.args.iter().cloned()).map_err(wrong)?.config.config;
        let variable = || self.env.get("RTMP_SERVER_CONFIG").map(PathBuf::from);
        let path = path.or_else(variable);
        let flags = flags();
        let names: Vec<&str> = flags.iter().filter_map(clap::Arg::get_long).collect();
        let (mut stamp, mut file, mut problems) = (None, None, Vec::new());
        if let Some(path) = &path {
            let bytes = read(path).map_err(|error| {
                vec![Problem::file(path, format!("cannot read the configuration: {error}"))]
            })?;
            stamp = Some(hash(&bytes));
            file = Some(file::parse(path, &bytes)?);
        }
        let mut layers = Vec::new();
        if let (Some(path), Some(file)) = (&path, &file) {
            add_file(path, &file.settings, &names, &mut layers, &mut problems);
        }
        self.add_env(&names, &mut layers);
        // One by one only if something is wrong: each look takes its time.
        let is_right = |of: &dyn Fn(&Layer) -> bool| {
            let args = layers.iter().filter(|layer| of(layer)).map(Layer::arg);
            cli::parse(std::iter::once("rtmp-server".into()).chain(args)).is_ok()
        };
        if !is_right(&|layer| layer.variable.is_none())
            || !is_right(&|layer| layer.variable.is_some())
        {
            problems.extend(layers.iter().filter_map(|layer| layer.check(path.as_deref())));
        }
        if !problems.is_empty() {
            // Recorders take values from the settings: theirs are looked at in spite of it.
            if let (Some(path), Some(file)) = (&path, &file) {
                let config = Config::default();
                problems.extend(recorders(path, file, &config, &names).err().unwrap_or_default());
            }
            return Err(few(problems));
        }
        let (mut config, sources) = self.together(&layers).map_err(wrong)?;
        config.config.clone_from(&path);
        let shown = shown(&flags, &sources);
        if let Err(problem) = token::secure(&mut config, &shown) {
            problems.push(problem);
        }
        let mut all: Vec<_> =
            config.record_all.then(|| Recorder::all(&config)).into_iter().collect();
        if let (Some(path), Some(file)) = (&path, &file) {
            match recorders(path, file, &config, &names) {
                Ok(found) => all.extend(found),
                Err(found) => problems.extend(found),
            }
        }
        if !problems.is_empty() {
            return Err(few(problems));
        }
        Ok(Settings { config, recorders: all, file: path, shown, stamp, given: self.clone() })
    }

    fn add_env(&self, names: &[&str], layers: &mut Vec<Layer>) {
        for name in names {
            let variable = variable(name);
            if let Some(value) = self.env.get(&variable) {
                layers.push(Layer {
                    name: (*name).to_owned(),
                    value: value.clone(),
                    source: Source::Environment,
                    variable: Some(variable),
                });
            }
        }
    }

    /// All layers, the weakest first, as one command line: the last of a repeated flag counts.
    fn together(&self, layers: &[Layer]) -> Result<(Config, Vec<Valued>), Stop> {
        let (program, rest) = match self.args.split_first() {
            Some((program, rest)) => (program.clone(), rest),
            None => ("rtmp-server".into(), &[][..]),
        };
        let args = std::iter::once(program).chain(layers.iter().map(Layer::arg));
        let (cli, values) = cli::parse_with_values(args.chain(rest.iter().cloned()))?;
        let own = cli::parse_with_values(self.args.iter().cloned())?.1;
        let source = |name: &str| {
            let is_own = own.iter().any(|(known, _, given)| known == name && *given);
            let layer = layers.iter().rev().find(|layer| layer.name == name);
            match (is_own, layer) {
                (true, _) => Source::Flag,
                (false, Some(layer)) => layer.source,
                (false, None) => Source::Default,
            }
        };
        let value = |(name, value, _): (String, OsString, bool)| {
            let source = source(&name);
            (name, value.to_string_lossy().into_owned(), source)
        };
        Ok((cli.config, values.into_iter().map(value).collect()))
    }
}

/// The name of a setting in the environment.
pub(in crate::config) fn variable(name: &str) -> String {
    PREFIX.to_owned() + &name.to_uppercase().replace('-', "_")
}

fn few(mut problems: Vec<Problem>) -> Vec<Problem> {
    let more = problems.len().saturating_sub(PROBLEMS);
    problems.sort_by_key(|problem| problem.line);
    problems.truncate(PROBLEMS);
    if more > 0 {
        problems.push(Problem::given(format!("and {more} more")));
    }
    problems
}

/// The settings of the server in the file.
fn add_file(
    path: &Path,
    items: &[Item],
    names: &[&str],
    layers: &mut Vec<Layer>,
    problems: &mut Vec<Problem>,
) {
    for Item { key, line, value } in items {
        let text = match value {
            _ if key == "config" => Err("config cannot be set in the file itself".to_owned()),
            _ if !names.contains(&&**key) => Err(unknown(key, names)),
            Value::Scalar(text) => Ok(text),
            _ => Err(format!("{key}: expected a text, a number, or true or false")),
        };
        match text {
            Ok(text) => layers.push(Layer {
                name: key.clone(),
                value: text.into(),
                source: Source::File(*line),
                variable: None,
            }),
            Err(text) => problems.push(Problem {
                line: Some(*line),
                key: Some(key.clone()),
                ..Problem::file(path, text)
            }),
        }
    }
}

fn unknown(key: &str, names: &[&str]) -> String {
    if KEYS.contains(&key) {
        return format!("{key} is a key of a recorder: it goes below [[recorder]]");
    }
    match nearest(key, names.iter().copied().chain(["recorder"])) {
        Some("recorder") => format!("unknown table {key:?}: did you mean [[recorder]]?"),
        Some(near) => format!("unknown key {key:?}: did you mean {near}?"),
        None => format!("unknown key {key:?}; `rtmp-server sample-config` prints all"),
    }
}

/// The recorders of the file.
fn recorders(
    path: &Path,
    file: &File,
    config: &Config,
    names: &[&str],
) -> Result<Vec<Recorder>, Vec<Problem>> {
    let (mut found, mut problems) = (Vec::<Recorder>::new(), Vec::new());
    let mut lines = BTreeMap::new();
    for table in &file.recorders {
        match keys::read(path, table, config, names) {
            Ok(recorder) => {
                if let Some(first) = lines.insert(recorder.name.clone(), table.line) {
                    problems.push(Problem {
                        line: Some(table.line),
                        key: Some("name".to_owned()),
                        ..Problem::file(
                            path,
                            format!(
                                "recorder {:?}: there is one of this name in line {first}",
                                recorder.name
                            ),
                        )
                    });
                }
                found.push(recorder);
            }
            Err(more) => problems.extend(more),
        }
    }
    match problems.is_empty() {
        true => Ok(found),
        false => Err(problems),
    }
}

fn shown(flags: &[clap::Arg], values: &[Valued]) -> Vec<Shown> {
    let shown = |flag: &clap::Arg| {
        let name = flag.get_long().unwrap_or_default().to_owned();
        let default = flag.get_default_values().first();
        let default = default.map_or_else(String::new, |d| d.to_string_lossy().into_owned());
        let given = values.iter().find(|(known, ..)| *known == name);
        let (value, source) = match given {
            Some((_, _, source)) if name == "api-token" => ("set".to_owned(), *source),
            Some((_, value, source)) => (value.clone(), *source),
            None => (default.clone(), Source::Default),
        };
        Shown { name, value, default, source }
    };
    flags.iter().map(shown).collect()
}
