using System.Globalization;
using Cronos;
using FuncScaler.Runtime.Service;
using FuncScaler.SlotBackends.Settings;

namespace FuncScaler.Runtime.Limits;

/// <summary>The limits of all functions, at any time: what a limits file says, checked.</summary>
public sealed class LimitsPlan
{
    /// <summary>The most functions that a file may have limits of.</summary>
    public const int MostFunctions = 10_000;

    /// <summary>The most groups of functions.</summary>
    public const int MostGroups = 10_000;

    /// <summary>The most schedules of a function.</summary>
    public const int MostSchedules = 100;

    private const int MostWaiting = 1_000_000;
    private const int LongestTimeoutSeconds = 31_536_000;

    private static readonly TimeSpan LongestDuration = TimeSpan.FromDays(31);

    private readonly Dictionary<MetaKey, PlannedFunction> _functions = [];
    private PlannedFunction? _others;

    private LimitsPlan()
    {
    }

    /// <summary>No limits.</summary>
    public static LimitsPlan None { get; } = new();

    /// <summary>The functions that have limits.</summary>
    public IReadOnlyCollection<MetaKey> Functions => _functions.Keys;

    /// <summary>The functions that follow each other.</summary>
    public IReadOnlyList<FunctionGroup> Groups { get; private set; } = [];

    /// <summary>Reads a limits file's text.</summary>
    /// <param name="json">The text.</param>
    /// <exception cref="BackendSettingsException">Something in it is wrong; a sentence for each error.</exception>
    public static LimitsPlan Read(string json)
    {
        var settings = SettingsJson.Read<LimitsSettings>(json);
        var errors = new SettingErrors();
        if (settings.Functions.Count > MostFunctions)
        {
            errors.Add(string.Create(CultureInfo.InvariantCulture, $"functions has {settings.Functions.Count} entries: give {MostFunctions} at most."));
        }

        var plan = new LimitsPlan();
        foreach (var (key, function) in settings.Functions)
        {
            errors.Require(key.Length is > 0 and <= ScalerService.LongestName, "functions", key, "is no function's key", $"give 1 to {ScalerService.LongestName} characters");
            if (Plan($"functions.{key}", key, function, errors) is { } planned)
            {
                plan._functions.Add(new MetaKey(key), planned);
            }
        }

        plan._others = settings.Others is { } others ? Plan("others", "", others, errors) : null;
        plan.Groups = ReadGroups(settings, plan, errors);
        return errors.Sentences.Count == 0 ? plan : throw new BackendSettingsException(errors.Sentences);
    }

    /// <summary>Whether the file names a function: then <c>others</c> says nothing of it, even where it has no limit of its own.</summary>
    public bool Names(MetaKey function) => _functions.ContainsKey(function);

    /// <summary>The limits of a function at a time; none for one that the file does not name.</summary>
    public FunctionLimits At(MetaKey function, DateTimeOffset at) => At(_functions.GetValueOrDefault(function), at);

    /// <summary>The limits at a time of the functions that the file does not name.</summary>
    public FunctionLimits OthersAt(DateTimeOffset at) => At(_others, at);

    private static FunctionLimits At(PlannedFunction? planned, DateTimeOffset at)
    {
        if (planned is null)
        {
            return FunctionLimits.None;
        }

        var limits = planned.Base;
        foreach (var schedule in planned.Schedules)
        {
            if (schedule.Holds(at))
            {
                limits = planned.Base with { MinInstances = schedule.Min ?? planned.Base.MinInstances, MaxInstances = schedule.Max ?? planned.Base.MaxInstances };
            }
        }

        return limits;
    }

    /// <summary>The limits of a function while no schedule holds; those of all others for one that the file does not name.</summary>
    public FunctionLimits BaseOf(MetaKey function) => (_functions.GetValueOrDefault(function) ?? _others)?.Base ?? FunctionLimits.None;

    /// <summary>The settings of a function's instances, where the file tells them.</summary>
    public FunctionMeta? SettingsOf(MetaKey function) => _functions.GetValueOrDefault(function)?.Meta;

    /// <summary>When a schedule begins or ends next, after a time; null for never.</summary>
    public DateTimeOffset? NextChange(DateTimeOffset after) => _functions.Values.Concat(_others is null ? [] : [_others]).SelectMany(f => f.Schedules).Min(s => s.NextChange(after));

    private static List<FunctionGroup> ReadGroups(LimitsSettings settings, LimitsPlan plan, SettingErrors errors)
    {
        errors.Range("groups, the number of them,", settings.Groups.Count, 0, MostGroups);
        var groups = new List<FunctionGroup>();
        var pairs = new HashSet<(string, string)>();
        var (parents, children) = (new Dictionary<string, int>(), new Dictionary<string, int>());
        for (var i = 0; i < settings.Groups.Count; i++)
        {
            var (where, group) = (string.Create(CultureInfo.InvariantCulture, $"groups[{i}]"), settings.Groups[i]);
            CheckName($"{where}.parent", group.Parent);
            CheckName($"{where}.child", group.Child);
            errors.Range($"{where}.fanOut", group.FanOut, 1, FunctionGroup.MostFanOut);
            errors.Range($"{where}.delay", group.Delay ?? TimeSpan.Zero, TimeSpan.Zero, FunctionGroup.LongestDelay);
            errors.Require(
                pairs.Add((group.Parent, group.Child)), $"{where}.child", group.Child, $"follows '{group.Parent}' in an earlier group too", "give one group with the fan-out of both");
            CheckCount($"{where}.parent", group.Parent, parents);
            CheckCount($"{where}.child", group.Child, children);
            groups.Add(new FunctionGroup(new MetaKey(group.Parent), new MetaKey(group.Child), group.FanOut)
            {
                Delay = group.Delay,
                ChildSettings = plan.SettingsOf(new MetaKey(group.Child)),
            });
        }

        return groups;

        void CheckName(string where, string name) =>
            errors.Require(name.Length is > 0 and <= ScalerService.LongestName, where, name, "is no function's key", $"give 1 to {ScalerService.LongestName} characters");

        void CheckCount(string where, string name, Dictionary<string, int> counts)
        {
            counts[name] = counts.GetValueOrDefault(name) + 1;
            errors.Require(counts[name] != FunctionGroup.MostOfFunction + 1, where, name, $"is in more than {FunctionGroup.MostOfFunction} groups", "leave some of them out");
        }
    }

    /// <summary>What settings say; null where something is wrong with them.</summary>
    private static PlannedFunction? Plan(string where, string key, FunctionLimitsSettings function, SettingErrors errors)
    {
        var before = errors.Sentences.Count;
        CheckCounts(where, function.Min, function.Max, errors);
        errors.Range($"{where}.maxWaiting", function.MaxWaiting ?? 1, 1, MostWaiting);
        errors.Range($"{where}.concurrency", function.Concurrency ?? 1, 1, FunctionMeta.MostConcurrency);
        errors.Range($"{where}.latencyPrice", function.LatencyPrice ?? 0, 0, WaitingPrice.Most);
        errors.Range($"{where}.slo", function.Slo ?? FunctionLimits.ShortestSlo, FunctionLimits.ShortestSlo, FunctionLimits.LongestSlo);
        errors.Require(
            function.Slo is null || function.LatencyPrice is null, $"{where}.slo", function.Slo, "stands beside latencyPrice, which is found from it", "leave one of them out");
        errors.Range($"{where}.memoryMb", function.MemoryMb ?? 1, 1, ScalerService.LargestMemoryMb);
        errors.Range($"{where}.timeoutSeconds", function.TimeoutSeconds, 0, LongestTimeoutSeconds);
        errors.Range($"{where}.schedules, the number of them,", function.Schedules.Count, 0, MostSchedules);
        var schedules = new List<LimitsSchedule>();
        for (var i = 0; i < function.Schedules.Count; i++)
        {
            AddSchedule(schedules, function, string.Create(CultureInfo.InvariantCulture, $"{where}.schedules[{i}]"), function.Schedules[i], errors);
        }

        if (errors.Sentences.Count > before)
        {
            return null;
        }

        var limits = new FunctionLimits
        {
            MinInstances = function.Min,
            MaxInstances = function.Max,
            MaxWaiting = function.MaxWaiting,
            Concurrency = function.Concurrency,
            LatencyPriceGbs = function.LatencyPrice,
            Slo = function.Slo,
        };
        var meta = function.MemoryMb is { } memoryMb ? new FunctionMeta(new MetaKey(key), function.Runtime, function.TimeoutSeconds, memoryMb) : null;
        return new PlannedFunction(limits, meta, schedules);
    }

    private static void AddSchedule(
        List<LimitsSchedule> schedules, FunctionLimitsSettings function, string where, LimitsScheduleSettings schedule, SettingErrors errors)
    {
        CheckCounts(where, schedule.Min ?? function.Min, schedule.Max ?? function.Max, errors);
        if (schedule.Until is null == schedule.Duration is null)
        {
            errors.Add($"{where} has {(schedule.Until is null ? "neither until nor duration" : "until and duration")}: say by one of them when it ends.");
        }
        else if (schedule.Duration is { } duration)
        {
            errors.Range($"{where}.duration", duration, TimeSpan.FromSeconds(1), LongestDuration);
        }

        try
        {
            schedules.Add(new LimitsSchedule(schedule));
        }
        catch (CronFormatException e)
        {
            errors.Add($"{where}.cron or until is no cron expression ({e.Message.TrimEnd('.')}): write minute, hour, day of month, month and day of week, as \"0 8 * * 1-5\".");
        }
        catch (Exception e) when (e is TimeZoneNotFoundException or InvalidTimeZoneException)
        {
            errors.Add($"{where}.timeZone", schedule.TimeZone, "is no time zone of this machine", "write one as Europe/Berlin, or UTC");
        }
    }

    private static void CheckCounts(string where, int min, int max, SettingErrors errors)
    {
        errors.Range($"{where}.min", min, 0, FunctionLimits.MostInstances);
        errors.Range($"{where}.max", max, 0, FunctionLimits.MostInstances);
        errors.Require(max == 0 || max >= min, $"{where}.max", max, "is less than min", "give at least as many, or 0 for no limit");
    }

    private sealed record PlannedFunction(FunctionLimits Base, FunctionMeta? Meta, IReadOnlyList<LimitsSchedule> Schedules);
}
