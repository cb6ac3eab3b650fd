using Cronos;

namespace FuncScaler.Runtime.Limits;

/// <summary>
/// When a schedule of a limits file holds. A cron expression begins it; another one, or a length of time, ends it. Cron expressions and daylight
/// saving are Cronos' affair.
/// </summary>
public sealed class LimitsSchedule
{
    /// <summary>How far back the last beginning is looked for: from a short time on, as an expression may occur each second.</summary>
    private static readonly TimeSpan[] LookBack = [TimeSpan.FromMinutes(2), TimeSpan.FromHours(2), TimeSpan.FromDays(2), TimeSpan.FromDays(32), TimeSpan.FromDays(366)];

    private readonly CronExpression _begins;
    private readonly CronExpression? _ends;
    private readonly TimeSpan? _duration;
    private readonly TimeZoneInfo _zone;

    /// <exception cref="FormatException">An expression cannot be read; says why.</exception>
    /// <exception cref="TimeZoneNotFoundException">There is no such time zone.</exception>
    internal LimitsSchedule(LimitsScheduleSettings settings)
    {
        _begins = Parse(settings.Cron);
        _ends = settings.Until is { } until ? Parse(until) : null;
        _duration = settings.Duration;
        _zone = TimeZoneInfo.FindSystemTimeZoneById(settings.TimeZone);
        (Min, Max) = (settings.Min, settings.Max);
    }

    /// <summary>The floor while it holds; null for the function's.</summary>
    public int? Min { get; }

    /// <summary>The ceiling while it holds; null for the function's.</summary>
    public int? Max { get; }

    /// <summary>Whether it holds at a time.</summary>
    public bool Holds(DateTimeOffset at)
    {
        if (Last(_begins, at) is not { } began)
        {
            return false;
        }

        return _duration is { } duration ? at < began + duration : Last(_ends!, at) is not { } ended || ended < began;
    }

    /// <summary>When that may change next, after a time; null for never.</summary>
    public DateTimeOffset? NextChange(DateTimeOffset after)
    {
        var begins = _begins.GetNextOccurrence(after, _zone);
        var ends = _ends is not null ? _ends.GetNextOccurrence(after, _zone)
            : Last(_begins, after) + _duration is { } end && end > after ? end
            : null;
        return begins is null || ends < begins ? ends : begins;
    }

    /// <summary>The last occurrence at a time or before, within a year; null for none.</summary>
    private DateTimeOffset? Last(CronExpression expression, DateTimeOffset at)
    {
        foreach (var back in LookBack)
        {
            DateTimeOffset? last = null;
            foreach (var occurrence in expression.GetOccurrences(at - back, at, _zone, fromInclusive: true, toInclusive: true))
            {
                last = occurrence;
            }

            if (last is not null)
            {
                return last;
            }
        }

        return null;
    }

    private static CronExpression Parse(string text)
    {
        var fields = text.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries).Length;
        return CronExpression.Parse(text, fields == 6 ? CronFormat.IncludeSeconds : CronFormat.Standard);
    }
}
