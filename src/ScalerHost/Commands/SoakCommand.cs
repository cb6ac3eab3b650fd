using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using FuncScaler.Runtime.Soaking;
using FuncScaler.SlotBackends.Settings;

namespace FuncScaler.ScalerHost.Commands;

/// <summary><c>funcscaler soak</c>: plays whole scalers in simulated worlds full of faults, and says how to repeat one that goes wrong.</summary>
internal static class SoakCommand
{
    private static readonly TimeSpan ProgressInterval = TimeSpan.FromSeconds(10);

    public static Command Create()
    {
        var seed = new Option<long?>("--seed") { Description = "The first world's seed; the next world has the next one [default: one that nobody has seen]", HelpName = "N" };
        var minutes = new Option<double>("--minutes") { Description = "For how long worlds are played, min", HelpName = "M", DefaultValueFactory = _ => 1 };
        var schedules = new Option<long?>("--schedules") { Description = "How many worlds are played, instead of --minutes", HelpName = "N" };
        var verbose = new Option<bool>("--verbose") { Description = "Tell what happens in each world" };
        var command = new Command("soak", "Play whole scalers in simulated worlds full of faults, by seed, and check that every promise is kept");
        foreach (var option in (Option[])[seed, minutes, schedules, verbose])
        {
            command.Options.Add(option);
        }

        command.SetAction((parsed, cancellationToken) =>
        {
            var (most, time) = (parsed.GetValue(schedules), parsed.GetValue(minutes));
            if (most is < 1)
            {
                throw new CommandException(CommandException.BadUsage, SettingErrors.Sentence("--schedules", $"{most}", "is too few", "give a whole number from 1"));
            }

            if (!(time is > 0 and <= 100_000))
            {
                throw new CommandException(
                    CommandException.BadUsage, SettingErrors.Sentence("--minutes", time.ToString(CultureInfo.InvariantCulture), "is no such time", "give a number above 0, at most 100000"));
            }

            var first = parsed.GetValue(seed) ?? DateTimeOffset.UtcNow.ToUnixTimeMilliseconds();
            return Task.FromResult(Run(first, most, TimeSpan.FromMinutes(time), parsed.GetValue(verbose), cancellationToken));
        });
        return command;
    }

    private static int Run(long first, long? most, TimeSpan time, bool verbose, CancellationToken cancellationToken)
    {
        var soak = new Soak();
        var (clock, told) = (Stopwatch.StartNew(), TimeSpan.Zero);
        var hash = 0UL;
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"seeds from {first} on"));
        for (var seed = first; (most is null ? clock.Elapsed < time : seed < first + most) && !cancellationToken.IsCancellationRequested; seed++)
        {
            try
            {
                hash = (hash * 31) + soak.Play(seed, verbose ? Console.Out : null);
            }
            catch (SoakException e)
            {
                Tell(soak, hash);
                throw new CommandException(
                    CommandException.Failed,
                    string.Create(CultureInfo.InvariantCulture, $"{e.Message}\nTo repeat it: funcscaler soak --seed {seed} --schedules 1 --verbose"));
            }

            if (clock.Elapsed - told > ProgressInterval)
            {
                told = clock.Elapsed;
                Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{soak.Schedules:N0} worlds in {clock.Elapsed.TotalSeconds:F0} s, seed {seed}"));
            }
        }

        Tell(soak, hash);
        return 0;
    }

    private static void Tell(Soak soak, ulong hash)
    {
        Console.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"{soak.Schedules:N0} worlds: {soak.Granted:N0} requests got an instance, {soak.Rejected:N0} were refused; shared instances were seen {soak.Shared:N0} times; hash {hash:x16}"));
        foreach (var fault in Enum.GetValues<SoakFault>())
        {
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"  {fault,-16} {soak.Count(fault),12:N0}"));
        }
    }
}
