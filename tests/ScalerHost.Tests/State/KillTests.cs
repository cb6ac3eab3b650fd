using Xunit.Abstractions;

namespace FuncScaler.Tests.State;

/// <inheritdoc cref="KilledScaler"/>
public sealed class KillTests(ITestOutputHelper output) : KilledScaler(output)
{
    [Fact]
    public async Task Killed_under_load_it_leaks_nothing_doubles_nothing_and_remembers()
    {
        var platform = new IdempotentPlatform();
        await using var server = await GrpcTestServer.StartAsync(platform);

        await KillAgainAndAgainAsync(["--platform", server.Address.Authority], between: null, () => platform.Slots.Count);

        Output.WriteLine($"{platform.Created} slots were created");
        Assert.Empty(platform.Slots);
    }

    [LongFact]
    public async Task With_its_log_torn_at_each_start_it_serves_on()
    {
        var platform = new IdempotentPlatform();
        await using var server = await GrpcTestServer.StartAsync(platform);
        var chance = new Random(1);

        // What a power cut may do: the end of the log is missing. Then slots may be unknown, but nothing is given to two.
        await KillAgainAndAgainAsync(
            ["--platform", server.Address.Authority],
            between: () =>
            {
                using var log = new FileStream(State + "-wal", FileMode.OpenOrCreate, FileAccess.ReadWrite);
                log.SetLength(Math.Max(0, log.Length - chance.Next(1, 4096)));
            },
            slotsThatExist: null);
    }
}
