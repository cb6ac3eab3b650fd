using System.Globalization;
using FuncScaler.ContestSimulator.Platform;
using Spectre.Console;

namespace FuncScaler.ScalerHost.Commands;

/// <summary>A run that reports its progress.</summary>
/// <param name="Run">The run.</param>
/// <param name="TailSeconds">How long it goes on after its last request, s.</param>
/// <param name="StartAsync">Makes it.</param>
internal sealed record ContestJob(ContestRun Run, double TailSeconds, Func<IProgress<RunProgress>, CancellationToken, Task<RunReport>> StartAsync);

/// <summary>Shows runs while they last: a bar each on standard error, where that is a terminal.</summary>
internal static class ContestProgress
{
    /// <summary>Runs all jobs at the same time.</summary>
    public static async Task<IReadOnlyList<RunReport>> RunAsync(IReadOnlyList<ContestJob> jobs, CancellationToken cancellationToken)
    {
        // What a bar is measured against; a pass over a trace first costs nothing else.
        var lengths = jobs.Select(job => ReadingProgress.Run($"counting requests of {job.Run.Id}", () => LengthOf(job.Run), cancellationToken)).ToArray();
        var console = AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(Console.Error) });
        if (!console.Profile.Capabilities.Interactive || !console.Profile.Out.IsTerminal)
        {
            for (var i = 0; i < jobs.Count; i++)
            {
                await Console.Error.WriteLineAsync(string.Create(CultureInfo.InvariantCulture, $"{jobs[i].Run.Id}: {lengths[i].Seconds + jobs[i].TailSeconds:N0} s with {lengths[i].Requests:N0} requests")).ConfigureAwait(false);
            }

            return await Task.WhenAll(jobs.Select(job => job.StartAsync(new Relay<RunProgress>(_ => { }), cancellationToken))).ConfigureAwait(false);
        }

        return await console.Progress()
            .Columns(new TaskDescriptionColumn { Alignment = Justify.Left }, new ProgressBarColumn(), new PercentageColumn(), new ElapsedTimeColumn(), new RemainingTimeColumn())
            .StartAsync(async context =>
            {
                return await Task.WhenAll(jobs.Select((job, i) =>
                {
                    // A run lasts as long as its trace, so the bar follows the time: what remains is known then. Cold starts may hold up its last requests:
                    // the tail begins when they have ended.
                    var (requests, seconds) = lengths[i];
                    var bar = context.AddTask(Markup.Escape(job.Run.Id), maxValue: Math.Max(1, seconds + job.TailSeconds));
                    return job.StartAsync(
                        new Relay<RunProgress>(progress =>
                        {
                            var elapsed = progress.Elapsed.TotalSeconds;
                            if (progress.Finished < requests)
                            {
                                seconds = Math.Max(seconds, elapsed + 1);
                                bar.MaxValue = seconds + job.TailSeconds;
                            }

                            bar.Value = Math.Min(elapsed, bar.MaxValue);
                            bar.Description = Markup.Escape($"{job.Run.Id}: {Doing(progress, requests)}");
                        }),
                        cancellationToken);
                })).ConfigureAwait(false);
            }).ConfigureAwait(false);
    }

    /// <summary>What a run does now.</summary>
    internal static string Doing(in RunProgress progress, long requests) =>
        progress.Sent < requests ? $"{progress.Sent} of {requests} sent, {progress.Failed} failed, {progress.LiveSlots} slots live"
        : progress.Finished < requests ? $"all sent, {requests - progress.Finished} still execute, {progress.LiveSlots} slots live"
        : $"tail, {progress.LiveSlots} slots live";

    /// <summary>How many requests there are, and when the last of them ends if none waits.</summary>
    private static (long Requests, double Seconds) LengthOf(ContestRun run)
    {
        long requests = 0, firstUs = 0, lastUs = 0;
        foreach (var request in run.Trace.ReadRequests())
        {
            firstUs = requests++ == 0 ? request.StartUs : firstUs;
            lastUs = Math.Max(lastUs, request.StartUs + request.DurationUs);
        }

        return (requests, (lastUs - firstUs) / 1e6);
    }
}
