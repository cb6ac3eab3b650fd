using System.CommandLine;
using FuncScaler.ContestSimulator.Traces;
using FuncScaler.ContestSimulator.Traces.Azure;
using FuncScaler.ContestSimulator.Traces.Presets;

namespace FuncScaler.ScalerHost.Commands;

/// <summary>The options that choose a trace and a slice of it.</summary>
/// <param name="azure">Whether Azure's public traces can be chosen too.</param>
internal sealed class TraceOptions(bool azure = false)
{
    public Option<string?> Data { get; } = new("--data")
    {
        Description = "A contest data set: a folder with the files metas and requests, each plain or .gz",
        HelpName = "DIR",
    };

    public Option<string?> Preset { get; } = new("--preset")
    {
        Description = "A generated trace: " + string.Join(", ", PresetCatalog.Names),
        HelpName = "NAME",
    };

    public Option<string?> Azure2019 { get; } = new("--azure2019")
    {
        Description = "Azure Functions 2019, per minute: the common path of its files, before _inv.csv, _run.csv and _mem.csv, or a folder of the originals",
        HelpName = "PREFIX",
    };

    public Option<string?> Azure2021 { get; } = new("--azure2021") { Description = "Azure Functions 2021, per invocation: the file", HelpName = "FILE" };

    public Option<long> Seed { get; } = new("--seed") { Description = "Which of a preset's traces, or of the placements within an Azure trace's minutes", HelpName = "N", DefaultValueFactory = _ => 1 };

    public Option<double?> From { get; } = CommonOptions.Seconds("--from", "Skip this much of the trace's beginning, s");

    public Option<double?> Length { get; } = CommonOptions.Seconds("--length", "Take this much of the trace, s");

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
                CommandException.BadUsage,
                $"There is no preset '{preset}'. Choose one of: {string.Join(", ", PresetCatalog.Names)}.");
        }

        length ??= presetLengthSeconds;
        ITrace trace = PresetCatalog.Create(preset, parsed.GetValue(Seed), from + length);
        return new ChosenTrace(preset, from > 0 ? Slice(trace, from, length) : trace, null);
    }

    private static ITrace Slice(ITrace trace, double from, double? length) =>
        from > 0 || length is not null ? new TraceSlice(trace, from, length) : trace;
}

/// <summary>A trace that was chosen on the command line.</summary>
/// <param name="Name">The data set's or preset's name, whatever slice of it was chosen: what results are called.</param>
/// <param name="Trace">The trace, or the slice of it.</param>
/// <param name="Folder">Where it was read from; null when it was generated.</param>
internal sealed record ChosenTrace(string Name, ITrace Trace, string? Folder);
