using System.CommandLine;
using System.Globalization;
using FuncScaler.ContestSimulator.Traces;
using FuncScaler.ContestSimulator.Traces.Azure;
using FuncScaler.ContestSimulator.Traces.Presets;
using FuncScaler.SlotBackends.Settings;

namespace FuncScaler.ScalerHost.Commands;

/// <summary>The options that choose a trace and a slice of it.</summary>
/// <param name="azure">Whether Azure's public traces can be chosen too.</param>
internal sealed class TraceOptions(bool azure = false)
{
    public Option<string> Data { get; } = CommonOptions.Path(
        "--data", "A contest data set: a folder with the files metas and requests, each plain or .gz", "DIR");

    public Option<string?> Preset { get; } = new("--preset")
    {
        Description = "A generated trace: " + string.Join(", ", PresetCatalog.Names),
        HelpName = "NAME",
    };

    public Option<string> Azure2019 { get; } = CommonOptions.Path(
        "--azure2019",
        "Azure Functions 2019, per minute: the common path of its files, before _inv.csv, _run.csv and _mem.csv, or a folder of the originals",
        "PREFIX");

    public Option<string> Azure2021 { get; } = CommonOptions.Path("--azure2021", "Azure Functions 2021, per invocation: the file", "FILE");

    public Option<long> Seed { get; } = CommonOptions.Seed("Which of a preset's traces, or of the placements within an Azure trace's minutes");

    public Option<double?> From { get; } = CommonOptions.Seconds("--from", "Skip this much of the trace's beginning, s");

    public Option<double?> Length { get; } = CommonOptions.Seconds("--length", "Take this much of the trace, s", least: 0.001);

    public void AddTo(Command command)
    {
        command.Options.Add(Data);
        command.Options.Add(Preset);
        if (azure)
        {
            command.Options.Add(Azure2019);
            command.Options.Add(Azure2021);
        }

        command.Options.Add(Seed);
        command.Options.Add(From);
        command.Options.Add(Length);
    }

    /// <summary>The trace that was chosen; null when none was.</summary>
    /// <param name="parsed">The command line.</param>
    /// <param name="presetLengthSeconds">How much of a preset is taken when no length is given; null for all of it.</param>
    /// <exception cref="CommandException">The options contradict each other, or name no preset.</exception>
    /// <exception cref="TraceFormatException">The trace cannot be read.</exception>
    public ChosenTrace? Choose(ParseResult parsed, double? presetLengthSeconds = null)
    {
        var data = parsed.GetValue(Data);
        var preset = parsed.GetValue(Preset);
        var from = parsed.GetValue(From) ?? 0;
        var length = parsed.GetValue(Length);
        var azure2019 = azure ? parsed.GetValue(Azure2019) : null;
        var azure2021 = azure ? parsed.GetValue(Azure2021) : null;
        if (new[] { data, preset, azure2019, azure2021 }.Count(source => source is not null) > 1)
        {
            throw new CommandException(
                CommandException.BadUsage,
                azure ? "Give one of --data, --preset, --azure2019 and --azure2021." : "Give either --data or --preset, not both.");
        }

        if ((azure2019 ?? azure2021) is { } path)
        {
            var options = new AzureTraceOptions { Seed = parsed.GetValue(Seed) };
            ITrace opened = azure2019 is not null ? AzureFunctions2019Trace.Open(path, options) : AzureFunctions2021Trace.Open(path, options);
            return new ChosenTrace(opened.Name, Slice(opened, from, length), path);
        }

        if (data is not null)
        {
            var whole = ContestTrace.Open(data);
            return new ChosenTrace(whole.Name, Slice(whole, from, length), data);
        }

        if (preset is null)
        {
            return null;
        }

        if (!PresetCatalog.Names.Contains(preset))
        {
            throw new CommandException(
                CommandException.BadUsage, SettingErrors.Sentence("--preset", preset, "is no preset", $"choose one of {string.Join(", ", PresetCatalog.Names)}"));
        }

        length ??= presetLengthSeconds;
        ITrace trace = PresetCatalog.Create(preset, parsed.GetValue(Seed), from + length);

        // A preset is made as long as it is asked for: then no --from is beyond its end.
        return new ChosenTrace(preset, NotEmpty(from > 0 ? new TraceSlice(trace, from, length) : trace, length is null ? trace : null, from, length), null);
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
