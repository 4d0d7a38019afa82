//! Languages: publishers write them as they like, `mdhd` has three letters of ISO 639-2.

/// Three letters of five bits. The first letters are taken as they are if they are three, and looked
/// up if they are two; `und` for everything else.
pub(super) fn packed(language: Option<&str>) -> u16 {
    let primary = language.and_then(|text| text.split(['-', '_']).next()).unwrap_or_default();
    let primary = primary.to_ascii_lowercase();
    let known = LETTERS.iter().find(|(two, _)| *two == primary).map(|(_, three)| *three);
    let is_three = primary.len() == 3 && primary.bytes().all(|byte| byte.is_ascii_lowercase());
    let three = known.unwrap_or(if is_three { &primary } else { "und" });
    three.bytes().fold(0, |packed, byte| packed << 5 | u16::from(byte - 0x60))
}

/// Whether text is shaped like a tag of BCP 47, which `elng` holds.
pub(super) fn is_tag(text: &str) -> bool {
    let is_part = |part: &str| {
        (1..=8).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_alphanumeric())
    };
    text.len() <= 35 && text.split('-').all(is_part)
}

/// ISO 639-1 and ISO 639-2/T of the languages that most people speak.
const LETTERS: [(&str, &str); 48] = [
    ("ar", "ara"),
    ("bg", "bul"),
    ("bn", "ben"),
    ("ca", "cat"),
    ("cs", "ces"),
    ("da", "dan"),
    ("de", "deu"),
    ("el", "ell"),
    ("en", "eng"),
    ("es", "spa"),
    ("et", "est"),
    ("eu", "eus"),
    ("fa", "fas"),
    ("fi", "fin"),
    ("fr", "fra"),
    ("ga", "gle"),
    ("he", "heb"),
    ("hi", "hin"),
    ("hr", "hrv"),
    ("hu", "hun"),
    ("id", "ind"),
    ("is", "isl"),
    ("it", "ita"),
    ("ja", "jpn"),
    ("ko", "kor"),
    ("lt", "lit"),
    ("lv", "lav"),
    ("mk", "mkd"),
    ("ms", "msa"),
    ("nb", "nob"),
    ("nl", "nld"),
    ("nn", "nno"),
    ("no", "nor"),
    ("pl", "pol"),
    ("pt", "por"),
    ("ro", "ron"),
    ("ru", "rus"),
    ("sk", "slk"),
    ("sl", "slv"),
    ("sq", "sqi"),
    ("sr", "srp"),
    ("sv", "swe"),
    ("sw", "swa"),
    ("th", "tha"),
    ("tr", "tur"),
    ("uk", "ukr"),
    ("vi", "vie"),
    ("zh", "zho"),
];
