using System.CommandLine;
using System.CommandLine.Completions;
using System.Globalization;
using FuncScaler.ContestSimulator.Traces;
using FuncScaler.ContestSimulator.Traces.Azure;
using FuncScaler.ContestSimulator.Traces.Huawei;
using FuncScaler.ContestSimulator.Traces.Presets;
using FuncScaler.ContestSimulator.Traces.Tables;
using FuncScaler.SlotBackends.Settings;

namespace FuncScaler.ScalerHost.Commands;

/// <summary>The options that choose traces and a slice of each.</summary>
/// <param name="tables">Whether tables and public traces can be chosen, besides the contest's format and presets.</param>
/// <param name="several">Whether more than one trace can be chosen.</param>
internal sealed class TraceOptions(bool tables = false, bool several = false)
{
    private const int LastDay = 999;

    public Option<string[]> Preset { get; } = Many(
        new Option<string[]>("--preset")
        {
            Description = "A generated trace: " + string.Join(", ", PresetCatalog.Names) + (several ? "; several with commas between them" : ""),
            HelpName = "NAME",
            CompletionSources = { _ => PresetCatalog.Names.Select(name => new CompletionItem(name)) },
            CustomParser = result => [.. result.Tokens.Select(t => t.Value)],
        },
        several);

    public Option<long> Seed { get; } = CommonOptions.Seed("Which of a preset's traces, or of the placements within a trace's minutes");

    public Option<double?> From { get; } = CommonOptions.Seconds("--from", "Skip this much of the trace's beginning, s");

    public Option<double?> Length { get; } = CommonOptions.Seconds("--length", "Take this much of the trace, s", least: 0.001);

    private readonly Option<string[]> _data = Many(
        CommonOptions.Paths("--data", "A contest data set: a folder with the files metas and requests, each plain or .gz", "DIR"), several);

    private readonly Option<string[]> _azure2019 = Many(
        CommonOptions.Paths(
            "--azure2019",
            "Azure Functions 2019, per minute: the common path of its files, before _inv.csv, _run.csv and _mem.csv, or a folder of the originals or of a vHive sample",
            "PREFIX"),
        several);

    private readonly Option<string[]> _azure2021 = Many(CommonOptions.Paths("--azure2021", "Azure Functions 2021, per invocation: the file", "FILE"), several);

    private readonly Option<string[]> _azureLlm = Many(CommonOptions.Paths("--azure-llm", "Azure LLM inference 2023: the file", "FILE"), several);

    private readonly Option<string[]> _huawei2023 = Many(
        CommonOptions.Paths("--huawei2023", "Huawei 2023, per minute: the folder that has requests_minute in it; see --day", "DIR"), several);

    private readonly Option<string[]> _huawei2025 = Many(
        CommonOptions.Paths("--huawei2025", "Huawei 2025, per request: a file of requests, or a folder of them; see --cold-starts", "PATH"), several);

    private readonly Option<string[]> _csv = Many(
        CommonOptions.Paths("--csv", "Any CSV file with a row for each request, plain or .gz; needs --map", "FILE"), several);

    private readonly Option<string[]> _parquet = Many(
        CommonOptions.Paths("--parquet", "Any Parquet file with a row for each request; needs --map", "FILE"), several);

    private readonly Option<string?> _map = new("--map")
    {
        Description = "Columns of --csv and --parquet: key=COL[+COL], and two of start=COL, duration=COL, end=COL; also memory=COL (MB), init=COL, status=COL",
        HelpName = "FIELD=COL,...",
    };

    private readonly Option<string?> _unit = new("--unit")
    {
        Description = "The unit of their times: s, ms, us or ns, with start=, duration= or init= before it for these alone; for --huawei2023: of its delays (ms) [default: s]",
        HelpName = "UNIT,...",
    };

    private readonly Option<string?> _defaults = new("--defaults")
    {
        Description = "What is taken where a trace does not tell: memory=MB, init=MS, duration=MS [default: memory=256,init=500]",
        HelpName = "NAME=N,...",
    };

    private readonly Option<string?> _llm = new("--llm")
    {
        Description = "The execution of --azure-llm: base=MS + generated=MS per generated token + context=MS per token of the prompt [default: base=100,generated=30,context=0.1]",
        HelpName = "NAME=MS,...",
    };

    private readonly Option<string> _coldStarts = CommonOptions.Path("--cold-starts", "The cold starts of --huawei2025: a file, or a folder of them", "PATH");

    private readonly Option<int> _day = CommonOptions.Whole(
        "--day", "The day of --azure2019 (1 to 14) or --huawei2023 (from 0), where a folder has several", 1, 0, LastDay, "is no day", $"give 0 to {LastDay}");

    private readonly Option<int> _concurrency = CommonOptions.Whole(
        "--concurrency",
        "The most requests that an instance serves at a time",
        1,
        1,
        FunctionMeta.MostConcurrency,
        "is no number of requests",
        FormattableString.Invariant($"give 1 to {FunctionMeta.MostConcurrency}"));

    private readonly Option<double?> _slowdown = CommonOptions.Amount(
        "--slowdown", "With --concurrency: how much longer an execution lasts for each further request in its instance, as a share of its length [default: 0]", "S");

    /// <summary>The most requests that an instance serves at a time.</summary>
    public int Concurrency(ParseResult parsed) => tables ? parsed.GetValue(_concurrency) : 1;

    /// <summary>How much longer executions last that share an instance.</summary>
    public double Slowdown(ParseResult parsed) => parsed.GetValue(_slowdown) ?? 0;

    /// <summary>The options by which traces are named, as sentences list them.</summary>
    public string Names => tables
        ? "--data, --preset, --csv, --parquet, --azure2019, --azure2021, --azure-llm, --huawei2023 or --huawei2025"
        : "--data or --preset";

    public void AddTo(Command command)
    {
        command.Options.Add(_data);
        command.Options.Add(Preset);
        if (tables)
        {
            foreach (var option in (Option[])[_csv, _parquet, _map, _unit, _defaults, _azure2019, _azure2021, _azureLlm, _llm, _huawei2023, _huawei2025, _coldStarts, _day, _concurrency, _slowdown])
            {
                command.Options.Add(option);
            }
        }

        command.Options.Add(Seed);
        command.Options.Add(From);
        command.Options.Add(Length);
    }

    /// <summary>The trace that was chosen; null when none was.</summary>
    /// <param name="parsed">The command line.</param>
    /// <param name="cancellationToken">Ends the reading.</param>
    /// <param name="presetLengthSeconds">How much of a preset is taken when no length is given; null for all of it.</param>
    /// <exception cref="CommandException">The options contradict each other, or name no preset.</exception>
    /// <exception cref="TraceFormatException">The trace cannot be read.</exception>
    public ChosenTrace? Choose(ParseResult parsed, CancellationToken cancellationToken, double? presetLengthSeconds = null)
    {
        var sources = Sources(parsed);
        if (sources.Count > 1)
        {
            throw new CommandException(
                CommandException.BadUsage, tables ? $"Give one of {Names.Replace(" or ", " and ", StringComparison.Ordinal)}." : "Give either --data or --preset, not both.");
        }

        return sources.Count == 0 ? null : Open(parsed, sources[0], parsed.GetValue(Seed), cancellationToken, presetLengthSeconds);
    }

    /// <summary>The traces that were named, each not yet opened.</summary>
    /// <exception cref="CommandException">One is no preset, or an option that a trace needs is missing.</exception>
    public List<TraceSource> Sources(ParseResult parsed)
    {
        var sources = new List<TraceSource>();
        foreach (var folder in Values(_data))
        {
            sources.Add(new TraceSource(folder, Seeded: false, _ => ContestTrace.Open(folder)));
        }

        // An empty name is no preset either.
        foreach (var preset in (parsed.GetValue(Preset) ?? []).SelectMany(v => several && v.Length > 0 ? v.Split(',', StringSplitOptions.TrimEntries) : [v]))
        {
            if (!PresetCatalog.Names.Contains(preset))
            {
                throw new CommandException(
                    CommandException.BadUsage, SettingErrors.Sentence("--preset", preset, "is no preset", $"{Nearest.Question(preset, PresetCatalog.Names)}choose one of {string.Join(", ", PresetCatalog.Names)}"));
            }

            sources.Add(new TraceSource(null, Seeded: true, seed => PresetCatalog.Create(preset, seed)) { Preset = preset });
        }

        if (!tables)
        {
            return sources;
        }

        foreach (var path in Values(_azure2019))
        {
            sources.Add(new TraceSource(path, Seeded: true, seed => AzureFunctions2019Trace.Open(path, Azure(seed) with { Day = AzureDay() })));
        }

        foreach (var path in Values(_azure2021))
        {
            sources.Add(new TraceSource(path, Seeded: true, seed => AzureFunctions2021Trace.Open(path, Azure(seed))));
        }

        foreach (var path in Values(_azureLlm))
        {
            sources.Add(new TraceSource(path, Seeded: false, _ => AzureLlm2023Trace.Open(path, Llm(), Defaults())));
        }

        foreach (var path in Values(_huawei2023))
        {
            sources.Add(new TraceSource(path, Seeded: true, seed => HuaweiMinutes2023Trace.Open(path, parsed.GetValue(_day), DelayUnit(), Defaults(), seed)));
        }

        foreach (var path in Values(_huawei2025))
        {
            sources.Add(new TraceSource(path, Seeded: false, _ => HuaweiRequests2025Trace.Open(path, parsed.GetValue(_coldStarts), Defaults())));
        }

        foreach (var path in Values(_csv))
        {
            sources.Add(new TraceSource(path, Seeded: false, _ => CsvTrace.Open(path, Map("--csv"), Defaults())));
        }

        foreach (var path in Values(_parquet))
        {
            sources.Add(new TraceSource(path, Seeded: false, _ => ParquetTrace.Open(path, Map("--parquet"), Defaults())));
        }

        return sources;

        string[] Values(Option<string[]> option) => parsed.GetValue(option) ?? [];

        ColumnMap Map(string option) => parsed.GetValue(_map) is { } map
            ? Read("--map", map, () => ColumnMap.Parse(map, parsed.GetValue(_unit), Defaults().DurationMs is not null))
            : throw new CommandException(CommandException.BadUsage, $"{option} needs --map: write for example --map key=function,start=timestamp,duration=ms.");

        TableTimeUnit DelayUnit() => parsed.GetValue(_unit) is { } unit
            ? Read("--unit", unit, () => ColumnMap.Parse("key=k,start=s,duration=d", unit, hasDefaultDuration: false).DurationUnit)
            : TableTimeUnit.Ms;

        TableDefaults Defaults()
        {
            var numbers = Numbers("--defaults", parsed.GetValue(_defaults), "memory", "init", "duration");
            var otherwise = new TableDefaults();
            if (numbers.TryGetValue("memory", out var mb) && (mb < 1 || mb > 1 << 20 || mb != Math.Floor(mb)))
            {
                throw new CommandException(
                    CommandException.BadUsage, SettingErrors.Sentence("--defaults memory", mb, "is no memory size", "give a whole number of MB, 1 to 1048576"));
            }

            return new TableDefaults
            {
                MemoryMb = (int)numbers.GetValueOrDefault("memory", otherwise.MemoryMb),
                InitMs = numbers.GetValueOrDefault("init", otherwise.InitMs),
                DurationMs = numbers.TryGetValue("duration", out var ms) ? ms : null,
            };
        }

        LlmDurations Llm()
        {
            var numbers = Numbers("--llm", parsed.GetValue(_llm), "base", "generated", "context");
            var otherwise = new LlmDurations();
            return new LlmDurations
            {
                BaseMs = numbers.GetValueOrDefault("base", otherwise.BaseMs),
                PerGeneratedTokenMs = numbers.GetValueOrDefault("generated", otherwise.PerGeneratedTokenMs),
                PerContextTokenMs = numbers.GetValueOrDefault("context", otherwise.PerContextTokenMs),
            };
        }

        AzureTraceOptions Azure(long seed)
        {
            var options = new AzureTraceOptions { Seed = seed };
            if (parsed.GetValue(_defaults) is null)
            {
                return options;
            }

            var defaults = Defaults();
            return options with { MemoryMb = defaults.MemoryMb, DurationMs = defaults.DurationMs ?? options.DurationMs };
        }

        int AzureDay() => parsed.GetValue(_day) is >= 1 and <= 14
            ? parsed.GetValue(_day)
            : throw new CommandException(CommandException.BadUsage, SettingErrors.Sentence("--day", parsed.GetValue(_day), "is no day of that trace", "give 1 to 14"));
    }

    /// <summary>Opens a trace and cuts what was asked for.</summary>
    public ChosenTrace Open(ParseResult parsed, TraceSource source, long seed, CancellationToken cancellationToken, double? presetLengthSeconds = null) =>
        ReadingProgress.Run($"reading {source.Path ?? source.Preset}", () => Open(parsed, source, seed, presetLengthSeconds), cancellationToken);

    private ChosenTrace Open(ParseResult parsed, TraceSource source, long seed, double? presetLengthSeconds)
    {
        var from = parsed.GetValue(From) ?? 0;
        var length = parsed.GetValue(Length);
        if (source.Preset is not { } preset)
        {
            var whole = source.Open(seed);
            return new ChosenTrace(whole.Name, Shared(Slice(whole, from, length)), source.Path);
        }

        // A preset is made as long as it is asked for: then no --from is beyond its end.
        length ??= presetLengthSeconds;
        ITrace trace = PresetCatalog.Create(preset, seed, from + length);
        return new ChosenTrace(preset, Shared(NotEmpty(from > 0 ? new TraceSlice(trace, from, length) : trace, length is null ? trace : null, from, length)), null);

        ITrace Shared(ITrace trace) => Concurrency(parsed) is > 1 and var concurrency ? new SharedTrace(trace, concurrency, Slowdown(parsed)) : trace;
    }

    private static Option<string[]> Many(Option<string[]> option, bool several)
    {
        option.Arity = several ? ArgumentArity.OneOrMore : ArgumentArity.ExactlyOne;
        option.AllowMultipleArgumentsPerToken = false;
        return option;
    }

    private static Dictionary<string, double> Numbers(string option, string? text, params string[] names)
    {
        var numbers = new Dictionary<string, double>();
        foreach (var part in (text ?? "").Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))
        {
            var equals = part.IndexOf('=', StringComparison.Ordinal);
            var isNumber = double.TryParse(part[(equals + 1)..], NumberStyles.Float, CultureInfo.InvariantCulture, out var number) && number is >= 0 and <= 1e9;
            if (equals < 0 || !isNumber || !names.Contains(part[..equals]) || !numbers.TryAdd(part[..equals], number))
            {
                throw new CommandException(CommandException.BadUsage, SettingErrors.Sentence(
                    option, part, "cannot be read", $"write NAME=NUMBER, each once, where NAME is one of {string.Join(", ", names)} and NUMBER is 0 to 1000000000"));
            }
        }

        return numbers;
    }

    private static T Read<T>(string option, string text, Func<T> parse)
    {
        try
        {
            return parse();
        }
        catch (FormatException e)
        {
            throw new CommandException(CommandException.BadUsage, $"{option} '{RemoteWords.Clean(text)}': {e.Message}", e);
        }
    }

    private static ITrace Slice(ITrace trace, double from, double? length) =>
        from > 0 || length is not null ? NotEmpty(new TraceSlice(trace, from, length), trace, from, length) : trace;

    /// <summary>The part of a trace that was asked for.</summary>
    /// <exception cref="CommandException">It has no request.</exception>
    private static ITrace NotEmpty(ITrace part, ITrace? whole, double from, double? length)
    {
        if (part.ReadRequests().Any())
        {
            return part;
        }

        long firstUs = -1;
        long lastUs = 0;
        foreach (var request in whole?.ReadRequests() ?? [])
        {
            firstUs = firstUs < 0 ? request.StartUs : firstUs;
            lastUs = request.StartUs - firstUs;
        }

        var last = lastUs / 1e6;
        throw new CommandException(
            CommandException.BadUsage,
            whole is not null && from > last
                ? SettingErrors.Sentence("--from", from, string.Create(CultureInfo.InvariantCulture, $"is beyond the last request, which comes after {last:0.###} s"), "give less")
                : SettingErrors.Sentence("--length", length, string.Create(CultureInfo.InvariantCulture, $"takes no request from {from:0.###} s on"), "give more, or another --from"));
    }
}

/// <summary>A trace that was chosen on the command line.</summary>
/// <param name="Name">The data set's or preset's name, whatever slice of it was chosen: what results are called.</param>
/// <param name="Trace">The trace, or the slice of it.</param>
/// <param name="Folder">Where it was read from; null when it was generated.</param>
internal sealed record ChosenTrace(string Name, ITrace Trace, string? Folder);

/// <summary>A trace that was named and is not open yet.</summary>
/// <param name="Path">Where it is read from; null when it is generated.</param>
/// <param name="Seeded">Whether a seed makes another trace of it.</param>
/// <param name="Open">Opens it for a seed.</param>
internal sealed record TraceSource(string? Path, bool Seeded, Func<long, ITrace> Open)
{
    /// <summary>The preset; null where it is none.</summary>
    public string? Preset { get; init; }
}
