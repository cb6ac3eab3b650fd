using System.CommandLine;
using System.Globalization;
using FuncScaler.ContestSimulator.Traces;

namespace FuncScaler.ScalerHost.Commands;

/// <summary><c>funcscaler generate</c>: writes a preset as a contest data set.</summary>
internal static class GenerateCommand
{
    public static Command Create()
    {
        var trace = new TraceOptions();
        var output = CommonOptions.Path("--out", "The folder to write metas and requests into", "DIR");
        output.Required = true;
        var gzip = new Option<bool>("--gzip") { Description = "Compress both files" };
        var force = new Option<bool>("--force") { Description = "Overwrite a data set that is there" };
        trace.Preset.Required = true;
        var command = new Command("generate", "Write a generated trace as a contest data set") { trace.Preset, trace.Seed, trace.Length, output, gzip, force };
        command.SetAction(parsed =>
        {
            var chosen = trace.Choose(parsed)!.Trace;
            var folder = parsed.GetValue(output)!;
            var requests = ContestTraceWriter.Write(chosen, folder, parsed.GetValue(gzip), parsed.GetValue(force));
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{folder}: {chosen.Functions.Count} functions, {requests:N0} requests"));
            return 0;
        });
        return command;
    }
}
