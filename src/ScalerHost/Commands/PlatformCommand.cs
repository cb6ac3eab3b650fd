using System.CommandLine;
using FuncScaler.ContestSimulator.Platform;
using FuncScaler.ContestSimulator.Traces;
using FuncScaler.Policies;

namespace FuncScaler.ScalerHost.Commands;

/// <summary><c>funcscaler platform</c>: the contest's platform side alone, to score any scaler.</summary>
internal static class PlatformCommand
{
    public static Command Create()
    {
        var trace = new TraceOptions();
        var scaler = CommonOptions.Default(CommonOptions.Address("--scaler", "The scaler's gRPC address"), new Uri("http://127.0.0.1:9001"));
        var listen = CommonOptions.Listen("The IP address to listen on; neither port asks who calls");
        var port = CommonOptions.Port("--port", "The port of the Platform service; 0 for any free one", 50051);
        var controlPort = CommonOptions.Port("--control-port", "The port of POST /start, GET / and the dashboard; 0 for any free one", 9000);
        var tail = CommonOptions.Seconds("--tail", "How long live slots go on costing after the last request, s [default: 300]", most: CommonOptions.LongestRealSeconds);
        var start = new Option<bool>("--start") { Description = "Start at once, print the result, and stop, instead of waiting for POST /start" };
        var command = new Command("platform", "Run the contest's platform alone: Platform gRPC, POST /start, and GET / with the result, or a dashboard for browsers");
        trace.AddTo(command);
        foreach (var option in new Option[] { scaler, listen, port, controlPort, tail, start })
        {
            command.Options.Add(option);
        }

        command.SetAction(async (parsed, cancellationToken) =>
        {
            var address = parsed.GetValue(listen)!;
            var chosen = trace.Choose(parsed, cancellationToken);
            if (chosen is null && parsed.GetValue(start))
            {
                throw new CommandException(CommandException.BadUsage, "--start needs a trace: give --data or --preset.");
            }

            var server = PlatformDashboard.AddTo(new ContestPlatformOptions
            {
                ScalerAddress = parsed.GetValue(scaler)!,
                ListenAddress = address,
                PlatformPort = parsed.GetValue(port),
                ControlPort = parsed.GetValue(controlPort),
                Tail = TimeSpan.FromSeconds(parsed.GetValue(tail) ?? 300),
                DefaultTrace = chosen?.Trace,
                OpenTrace = ContestTrace.Open,
            });
            await using (server.ConfigureAwait(false))
            {
                await ContestCommand.WarmUpAsync(PolicyCatalog.Parse(PolicyCatalog.Default), cancellationToken).ConfigureAwait(false);
                await server.StartAsync(cancellationToken).ConfigureAwait(false);
                if (parsed.GetValue(start))
                {
                    var run = new ContestRun(chosen!.Name, chosen.Trace);
                    var report = await ContestProgress.RunAsync(
                        [new ContestJob(run, parsed.GetValue(tail) ?? 300, (progress, token) => server.RunAsync(run, progress, token))],
                        cancellationToken).ConfigureAwait(false);
                    Console.WriteLine(report[0].ToResultJson());
                    return report[0].Error is null ? 0 : CommandException.Failed;
                }

                Console.WriteLine($"platform: gRPC on {address}:{server.PlatformPort}, control on http://{address}:{server.ControlPort}, scaler {parsed.GetValue(scaler)!.Authority}");
                try
                {
                    await Task.Delay(Timeout.Infinite, cancellationToken).ConfigureAwait(false);
                }
                catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
                {
                    // Asked to stop.
                }
            }

            return 0;
        });
        return command;
    }
}
