using System.CommandLine;
using System.Globalization;
using FuncScaler.ContestSimulator.Traces;
using FuncScaler.SlotBackends.Settings;

namespace FuncScaler.ScalerHost.Commands;

/// <summary><c>funcscaler generate</c>: writes a preset, or any trace that can be read, as a contest data set or as the vHive loader's files.</summary>
internal static class GenerateCommand
{
    private static readonly string[] Formats = ["contest", "vhive"];

    public static Command Create()
    {
        var trace = new TraceOptions(tables: true);
        var output = CommonOptions.Path("--out", "The folder to write into", "DIR");
        output.Required = true;
        var format = new Option<string>("--format")
        {
            Description = "contest: the files metas and requests; vhive: invocations.csv, durations.csv and memory.csv, as the vHive loader reads them",
            HelpName = "NAME",
            DefaultValueFactory = _ => Formats[0],
        };
        var gzip = new Option<bool>("--gzip") { Description = "Compress both files of a contest data set" };
        var force = new Option<bool>("--force") { Description = "Overwrite what is there" };
        var command = new Command("generate", "Write a generated trace, or another that can be read, as a contest data set or for the vHive loader");
        trace.AddTo(command);
        foreach (var option in (Option[])[output, format, gzip, force])
        {
            command.Options.Add(option);
        }

        command.SetAction((parsed, cancellationToken) =>
        {
            var name = parsed.GetValue(format)!;
            if (!Formats.Contains(name))
            {
                throw new CommandException(
                    CommandException.BadUsage, SettingErrors.Sentence("--format", name, "is no format", $"choose one of {string.Join(", ", Formats)}"));
            }

            var chosen = trace.Choose(parsed, cancellationToken)?.Trace ?? throw new CommandException(CommandException.BadUsage, $"Name a trace: give {trace.Names}.");
            var folder = parsed.GetValue(output)!;
            long requests;
            try
            {
                requests = ReadingProgress.Run(
                    $"writing {folder}",
                    () => name == "vhive"
                        ? VHiveTraceWriter.Write(chosen, folder, parsed.GetValue(force))
                        : ContestTraceWriter.Write(chosen, folder, parsed.GetValue(gzip), parsed.GetValue(force)),
                    cancellationToken);
            }
            catch (OperationCanceledException)
            {
                throw new CommandException(CommandException.Failed, "Stopped: no file was written.");
            }

            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{folder}: {chosen.Functions.Count} functions, {requests:N0} requests"));
            return Task.FromResult(0);
        });
        return command;
    }
}
