using System.Globalization;
using FuncScaler.ContestSimulator.Platform;
using Spectre.Console;

namespace FuncScaler.ScalerHost.Commands;

/// <summary>A run that reports its progress.</summary>
internal sealed record ContestJob(ContestRun Run, Func<IProgress<RunProgress>, CancellationToken, Task<RunReport>> StartAsync);

/// <summary>Shows runs while they last: a bar each on standard error, where that is a terminal.</summary>
internal static class ContestProgress
{
    /// <summary>Runs all jobs at the same time.</summary>
    public static async Task<IReadOnlyList<RunReport>> RunAsync(IReadOnlyList<ContestJob> jobs, CancellationToken cancellationToken)
    {
        // What a bar is measured against; counting a trace first costs a pass over it and nothing else.
        var totals = jobs.Select(job => job.Run.Trace.ReadRequests().LongCount()).ToArray();
        var console = AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(Console.Error) });
        if (!console.Profile.Capabilities.Interactive || !console.Profile.Out.IsTerminal)
        {
            for (var i = 0; i < jobs.Count; i++)
            {
                await Console.Error.WriteLineAsync(string.Create(CultureInfo.InvariantCulture, $"{jobs[i].Run.Id}: {totals[i]:N0} requests")).ConfigureAwait(false);
            }

            return await Task.WhenAll(jobs.Select(job => job.StartAsync(new Relay<RunProgress>(_ => { }), cancellationToken))).ConfigureAwait(false);
        }

        return await console.Progress()
            .Columns(new TaskDescriptionColumn { Alignment = Justify.Left }, new ProgressBarColumn(), new PercentageColumn(), new ElapsedTimeColumn())
            .StartAsync(async context =>
            {
                return await Task.WhenAll(jobs.Select((job, i) =>
                {
                    var bar = context.AddTask(Markup.Escape(job.Run.Id), maxValue: Math.Max(1, totals[i]));
                    return job.StartAsync(
                        new Relay<RunProgress>(progress =>
                        {
                            bar.Value = progress.Finished;
                            bar.Description = Markup.Escape(progress.Finished == totals[i]
                                ? $"{job.Run.Id}: tail, {progress.LiveSlots} slots live"
                                : $"{job.Run.Id}: {progress.Sent} sent, {progress.Failed} failed, {progress.LiveSlots} slots live");
                        }),
                        cancellationToken);
                })).ConfigureAwait(false);
            }).ConfigureAwait(false);
    }
}
