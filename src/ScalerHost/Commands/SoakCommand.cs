using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using FuncScaler.Runtime.Soaking;

namespace FuncScaler.ScalerHost.Commands;

/// <summary><c>funcscaler soak</c>: plays whole scalers in simulated worlds full of faults, and says how to repeat one that goes wrong.</summary>
internal static class SoakCommand
{
    private const long LargestSeed = 1_000_000_000_000_000;

    private static readonly TimeSpan ProgressInterval = TimeSpan.FromSeconds(10);

    public static Command Create()
    {
        var seed = CommonOptions.OptionalWhole(
            "--seed", "The first world's seed; each further world has the next one [default: one that nobody has seen]", 0, LargestSeed, "is no seed", $"give a whole number from 0 to {LargestSeed}");
        var minutes = CommonOptions.Read<double?>(
            "--minutes",
            "For how long worlds are played, min [default: 1]",
            "M",
            static (string text, out double? value) =>
            {
                var read = double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var number) && number is > 0 and <= 100_000;
                value = number;
                return read;
            },
            "is no time that can be used",
            "give a number of minutes above 0, at most 100000");
        var schedules = CommonOptions.OptionalWhole(
            "--schedules", "How many worlds are played, instead of --minutes", 1, LargestSeed, "is no number of worlds", $"give a whole number from 1 to {LargestSeed}");
        var backend = CommonOptions.Read<SoakBackend?>(
            "--backend",
            "What the scalers stand on: simulator, aci for the adapter of Azure Container Instances, or nodes for instances on nodes [default: what the seed says]",
            "NAME",
            static (string text, out SoakBackend? value) =>
            {
                var read = Enum.TryParse<SoakBackend>(text, ignoreCase: true, out var name) && !int.TryParse(text, CultureInfo.InvariantCulture, out _);
                value = name;
                return read;
            },
            "is nothing that worlds can be played on",
            "give simulator, aci or nodes, or leave it out");
        var verbose = new Option<bool>("--verbose") { Description = "Tell what happens in each world" };
        var command = new Command("soak", "Play whole scalers in simulated worlds full of faults, by seed, and check that every promise is kept");
        foreach (var option in (Option[])[seed, minutes, schedules, backend, verbose])
        {
            command.Options.Add(option);
        }

        command.SetAction((parsed, cancellationToken) =>
        {
            var first = parsed.GetValue(seed) ?? TimeProvider.System.GetUtcNow().ToUnixTimeMilliseconds();
            var (most, time) = (parsed.GetValue(schedules), TimeSpan.FromMinutes(parsed.GetValue(minutes) ?? 1));
            var soak = new Soak { Backend = parsed.GetValue(backend) };
            Run(soak, soak.Play, first, most, time, parsed.GetValue(verbose) ? Console.Out : null, Console.Out, Console.Error, cancellationToken);
            return Task.FromResult(0);
        });
        return command;
    }

    /// <summary>Plays worlds until one breaks a promise, or the time or their number is up.</summary>
    /// <param name="soak">Counts what happens.</param>
    /// <param name="play">Plays a world, and returns the hash of what happened in it.</param>
    /// <param name="first">The first seed.</param>
    /// <param name="most">How many worlds; null for as many as there is time for.</param>
    /// <param name="time">For how long, where no number is given.</param>
    /// <param name="story">Where is told what happens; null for nowhere.</param>
    /// <param name="output">Where counts are told.</param>
    /// <param name="progress">Where is told from time to time how far it is.</param>
    /// <param name="cancellationToken">Ends it after the present world.</param>
    /// <exception cref="CommandException">A promise was broken; says how to repeat that.</exception>
    internal static void Run(
        Soak soak,
        Func<long, TextWriter?, ulong> play,
        long first,
        long? most,
        TimeSpan time,
        TextWriter? story,
        TextWriter output,
        TextWriter progress,
        CancellationToken cancellationToken)
    {
        var (began, told) = (Stopwatch.GetTimestamp(), TimeSpan.Zero);
        var hash = 0UL;
        output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"seeds from {first} on"));
        for (var seed = first; !cancellationToken.IsCancellationRequested; seed++)
        {
            var elapsed = Stopwatch.GetElapsedTime(began);
            if (most is null ? elapsed >= time : seed - first >= most)
            {
                break;
            }

            if (elapsed - told > ProgressInterval)
            {
                told = elapsed;
                progress.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{soak.Schedules:N0} worlds in {elapsed.TotalSeconds:F0} s, now seed {seed}"));
            }

            try
            {
                hash = unchecked((hash * 31) + play(seed, story));
            }
            catch (SoakException e)
            {
                Tell(soak, hash, output);
                throw new CommandException(
                    CommandException.Failed,
                    string.Create(CultureInfo.InvariantCulture, $"{e.Message}\nTo repeat it: funcscaler soak --seed {seed} --schedules 1{(soak.Backend is { } on ? $" --backend {on.ToString().ToLowerInvariant()}" : "")} --verbose"));
            }
        }

        Tell(soak, hash, output);
    }

    private static void Tell(Soak soak, ulong hash, TextWriter output)
    {
        output.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"{soak.Schedules:N0} worlds: {soak.Granted:N0} requests got an instance, {soak.Rejected:N0} were refused; instances were seen shared {soak.Shared:N0} times; hash {hash:x16}"));
        foreach (var fault in Enum.GetValues<SoakFault>())
        {
            output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"  {fault,-16} {soak.Count(fault),12:N0}"));
        }
    }
}
