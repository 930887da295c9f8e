//! Word lists for English: function words, words too general to be an answer, people and places.

use std::{collections::HashSet, sync::LazyLock};

const FUNCTION: &str = "a an the and or but nor so yet if then else when while where which who whom whose what why how that this these \
those it its they them their he him his she her we us our you your i my me as at by for from in into of off on onto out over per than \
to toward towards under until up upon via with within without about above across after against along among around before behind below \
beneath beside between beyond during except inside near outside since through throughout is are was were be been being am do does did \
done has have had having can could may might must shall should will would not no only just also even still too very more most much many \
few less least several some any all each every both either neither other others another such same own again almost already always \
although because despite ever first last later never now often once rather sometimes soon therefore thus together usually whether \
however like unlike well typically mostly mainly hardly directly slowly fast best strongly";

/// Verbs, adjectives and adverbs that stand where a noun could.
const NO_NOUN: &str = "use uses used using make makes made making take takes took taken taking give gives gave given giving get gets \
turn turns turned keep keeps kept let lets put puts set sets run runs ran hold holds held bring brings brought carry carries carried \
carrying call called calls name named known know knows find found finds show shows showed shown become becomes became allow allows need \
needs needed contain contains contained include includes included including form forms formed produce produces produced store stores \
stored move moves moved release releases released absorb absorbs absorbed capture captures build builds built open close closes start \
starts started end ends ended begin begins began cause causes caused help helps helped work works worked change changes changed large \
larger largest small smaller smallest great high higher low lower long short new old young early late important different similar main \
common certain possible available able free whole full empty good bad better big little typical single double isolated present visible \
discovered invented proposed suggested showed proved demonstrated received won published wrote developed created founded described \
based related involved required remain remains remained seem seems appear appears consist consists depend depends lead leads led \
fill fills covers cover reach reaches pass passes passed combine combines attach attaches bind binds travel travels grow grew grows";

const GENERAL: &str = "process processes system systems way ways part parts number numbers example examples time times result results \
form forms type types kind kinds set sets amount amounts thing things people person year years day days case cases place places point \
points name names use fact problem problems question answer idea ideas term terms word words group groups order area areas side sides \
end level levels state states change changes effect effects cause causes role function functions structure structures method methods \
step steps rate rates size value values series range period century world life man woman men women body bodies work works study studies \
source sources factor factors property properties condition conditions material materials substance substances unit units need \
inside surface centre center top bottom rest half majority variety lack presence absence supply demand basis purpose reason \
history beginning word turn opening openings chain path layer layers member members piece pieces molecule molecules atom atoms use uses \
everything nothing something weight pile short loss gain place measure";

const PERSON_VERBS: &str = "discovered invented proposed suggested showed proved demonstrated traced received won published wrote developed \
created founded described argued grew coined introduced observed noticed found designed built led studied worked \
believed claimed explained calculated measured identified named predicted formulated established won painted composed discussed \
concluded reported isolated confirmed extended completed ruled conquered married died";

const ROLES: &str = "scientist physicist chemist biologist botanist mathematician philosopher king queen emperor president professor doctor \
engineer astronomer inventor author writer poet painter composer physician geneticist naturalist economist historian programmer general \
captain minister explorer sir lord saint dr mr mrs";

const NOT_A_PERSON: &str = "Prize University Theory Cycle Institute Museum Ocean River Sea Mountains Mountain Lake Island Islands City State \
States Union Kingdom Empire War Wars Treaty Act Law College School Company Corporation Revolution Party Church Bay Desert Forest \
Chemistry Physics Celsius Fahrenheit Kelvin Earth Laboratory Laboratories System Conference Society Academy Award Medal Project Program Programme Mission Telescope Observatory Spacecraft";

const CALENDAR: &str = "January February March April May June July August September October November December Monday Tuesday Wednesday \
Thursday Friday Saturday Sunday";

struct Set(LazyLock<HashSet<&'static str>>);

macro_rules! set {
    ($name:ident, $list:ident) => {
        static $name: Set = Set(LazyLock::new(|| $list.split_whitespace().collect()));
    };
}

set!(FUNCTION_SET, FUNCTION);
set!(NO_NOUN_SET, NO_NOUN);
set!(GENERAL_SET, GENERAL);
set!(PERSON_VERBS_SET, PERSON_VERBS);
set!(ROLES_SET, ROLES);
set!(NOT_A_PERSON_SET, NOT_A_PERSON);
set!(CALENDAR_SET, CALENDAR);

/// Words that carry no meaning of their own.
pub(in super::super::super) fn is_function(lower: &str) -> bool {
    FUNCTION_SET.0.contains(lower)
}

pub(super) fn is_no_noun(lower: &str) -> bool {
    is_function(lower)
        || NO_NOUN_SET.0.contains(lower)
        || (lower.ends_with("ly") && lower.len() > 4)
}

pub(super) fn is_general(lower: &str) -> bool {
    GENERAL_SET.0.contains(lower)
}

pub(super) fn is_person_verb(lower: &str) -> bool {
    PERSON_VERBS_SET.0.contains(lower)
}

pub(super) fn is_role(lower: &str) -> bool {
    ROLES_SET.0.contains(lower)
}

pub(super) fn is_no_person(word: &str) -> bool {
    NOT_A_PERSON_SET.0.contains(word)
}

pub(super) fn is_calendar(word: &str) -> bool {
    CALENDAR_SET.0.contains(word)
}

/// Whether a noun is plural, by its spelling.
pub(in super::super::super) fn is_plural(word: &str) -> bool {
    if word.ends_with(|c: char| c.is_ascii_uppercase()) {
        return false;
    }
    let lower = word.to_lowercase();
    let singular = ["ss", "us", "is", "ics", "ous"]
        .iter()
        .any(|end| lower.ends_with(end));
    (lower.ends_with('s') && !singular)
        || [
            "stomata",
            "bacteria",
            "data",
            "algae",
            "people",
            "phytoplankton",
            "cacti",
            "fungi",
            "mitochondria",
        ]
        .contains(&lower.as_str())
}
