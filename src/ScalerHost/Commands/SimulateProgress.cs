using Spectre.Console;

namespace FuncScaler.ScalerHost.Commands;

/// <summary>A bar per simulated policy on standard error, where that is a terminal.</summary>
internal static class SimulateProgress
{
    /// <param name="names">What runs.</param>
    /// <param name="work">Runs it, telling how many requests each has played.</param>
    /// <param name="countRequests">Counts the trace; called only where there is a bar to measure.</param>
    /// <param name="cancellationToken">Ends it early.</param>
    public static void Run(
        IReadOnlyList<string> names,
        Action<Action<int, long>, CancellationToken> work,
        Func<long> countRequests,
        CancellationToken cancellationToken)
    {
        var console = AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(Console.Error) });
        if (!console.Profile.Capabilities.Interactive || !console.Profile.Out.IsTerminal)
        {
            Unwrap(() => work((_, _) => { }, cancellationToken));
            return;
        }

        var total = Math.Max(1, ReadingProgress.Run("counting requests", countRequests, cancellationToken));
        console.Progress()
            .Columns(new TaskDescriptionColumn { Alignment = Justify.Left }, new ProgressBarColumn(), new PercentageColumn(), new ElapsedTimeColumn(), new RemainingTimeColumn())
            .Start(context =>
            {
                var bars = names.Select(name => context.AddTask(Markup.Escape(name), maxValue: total)).ToArray();
                Unwrap(() => work((i, played) => bars[i].Value = played, cancellationToken));
            });
    }

    private static void Unwrap(Action work)
    {
        try
        {
            work();
        }
        catch (AggregateException e)
        {
            // Several runs read the same malformed trace; one of them may say so.
            System.Runtime.ExceptionServices.ExceptionDispatchInfo.Throw(e.InnerExceptions[0]);
        }
    }
}
