//! What the server does in one step. Ownership is judged, and times are taken, where nothing can come
//! between.
//!
//! Times are milliseconds since 1970 by the server's clock. Ends are set absolutely (`PXAT`, `PEXPIREAT`), so
//! that what is answered is exactly what was set.

use std::sync::LazyLock;

/// A Lua script and its SHA-1, which the server knows it by.
pub(super) struct Script {
    pub(super) text: &'static str,
    pub(super) hash: String,
}

impl Script {
    fn new(text: &'static str) -> Self {
        Self {
            text,
            hash: redis::Script::new(text).get_hash().to_owned(),
        }
    }
}

macro_rules! clock {
    () => {
        "
local function clock()
    local time = redis.call('TIME')
    return time[1] * 1000 + math.floor(time[2] / 1000)
end
"
    };
}

/// What follows the `@` in a value: the holder.
macro_rules! holder {
    () => {
        "
local function holder(value)
    local at = value and string.find(value, '@', 1, true)
    return at and string.sub(value, at + 1)
end
"
    };
}

/// When a key ends; negative if never. Before Redis 7.0 the end is known by what is left of it, which is
/// exact when the clock stood still meanwhile.
macro_rules! ending {
    () => {
        "
local function ending(key)
    local answer = redis.pcall('PEXPIRETIME', key)
    if type(answer) == 'number' then
        return answer
    end
    local before, left
    repeat
        before = clock()
        left = redis.call('PTTL', key)
    until clock() == before
    return left < 0 and left or before + left
end
"
    };
}

/// Counts, and then writes: a script that fails is not rolled back, and a number that nobody got does no
/// harm. Years begin in March here, so that the leap day is the last of its year.
macro_rules! written {
    () => {
        "
local function instant(ms)
    local second = math.floor(ms / 1000)
    local days = math.floor(second / 86400) + 719468
    local era = math.floor(days / 146097)
    local day = days - era * 146097
    local year = math.floor(
        (day - math.floor(day / 1460) + math.floor(day / 36524) - math.floor(day / 146096)) / 365)
    day = day - (365 * year + math.floor(year / 4) - math.floor(year / 100))
    local month = math.floor((5 * day + 2) / 153)
    day = day - math.floor((153 * month + 2) / 5) + 1
    year = year + era * 400
    month = month + 3
    if month > 12 then
        month = month - 12
        year = year + 1
    end
    return string.format('%04d-%02d-%02dT%02d:%02d:%02d.%03dZ', year, month, day,
        math.floor(second / 3600) % 24, math.floor(second / 60) % 60, second % 60, ms % 1000)
end

local token = redis.call('INCR', KEYS[2])
if holder(value) ~= ARGV[1] then
    local now = clock()
    value = 'ADDED:' .. instant(now) .. '@' .. ARGV[1]
    redis.call('SET', KEYS[1], value, 'PXAT', now + ARGV[2])
end
return { value, token }
"
    };
}

/// Keys: lock, token. Arguments: holder, lease. Answers the value and the token, or nothing.
///
/// A value that is ours already is that of a request whose answer was lost: it is answered again.
pub(super) static TAKE: LazyLock<Script> = LazyLock::new(|| {
    Script::new(concat!(
        clock!(),
        holder!(),
        "
local value = redis.call('GET', KEYS[1])
if value and holder(value) ~= ARGV[1] then
    return false
end
",
        written!()
    ))
});

/// As [`TAKE`]; further arguments: the former holder and the end that is taken over.
pub(super) static TAKE_OVER: LazyLock<Script> = LazyLock::new(|| {
    Script::new(concat!(
        clock!(),
        holder!(),
        ending!(),
        "
local value = redis.call('GET', KEYS[1])
if holder(value) ~= ARGV[1]
    and not (holder(value) == ARGV[3] and ending(KEYS[1]) == tonumber(ARGV[4])) then
    return false
end
",
        written!()
    ))
});

/// Key: lock. Arguments: holder, lease. Answers how many locks were extended.
pub(super) static EXTEND: LazyLock<Script> = LazyLock::new(|| {
    Script::new(concat!(
        clock!(),
        holder!(),
        "
if holder(redis.call('GET', KEYS[1])) ~= ARGV[1] then
    return 0
end
redis.call('PEXPIREAT', KEYS[1], clock() + ARGV[2])
return 1
"
    ))
});

/// Key: lock. Arguments: holder, the earliest end. Answers how many locks were given back.
pub(super) static RELEASE: LazyLock<Script> = LazyLock::new(|| {
    Script::new(concat!(
        clock!(),
        holder!(),
        "
if holder(redis.call('GET', KEYS[1])) ~= ARGV[1] then
    return 0
end
if tonumber(ARGV[2]) > clock() then
    redis.call('PEXPIREAT', KEYS[1], ARGV[2])
else
    redis.call('DEL', KEYS[1])
end
return 1
"
    ))
});

/// Keys: lock, token. Arguments: the holder and the end that were seen. Answers how many locks were freed.
pub(super) static FREE: LazyLock<Script> = LazyLock::new(|| {
    Script::new(concat!(
        clock!(),
        holder!(),
        ending!(),
        "
if holder(redis.call('GET', KEYS[1])) ~= ARGV[1] or ending(KEYS[1]) ~= tonumber(ARGV[2]) then
    return 0
end
redis.call('INCR', KEYS[2])
redis.call('DEL', KEYS[1])
return 1
"
    ))
});

/// Key: lock. Answers the value and its end (negative: never), or nothing.
pub(super) static LOOK: LazyLock<Script> = LazyLock::new(|| {
    Script::new(concat!(
        clock!(),
        ending!(),
        "
local value = redis.call('GET', KEYS[1])
return value and { value, ending(KEYS[1]) }
"
    ))
});
