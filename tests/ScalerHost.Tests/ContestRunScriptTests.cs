using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;

namespace FuncScaler.Tests;

/// <summary>eng/contest-run.sh, the contest's ./run.sh, as the contest starts it: the control port is a socket of the test's.</summary>
public sealed class ContestRunScriptTests
{
    [Fact]
    public async Task The_scaler_serves_until_the_simulator_ends()
    {
        await using var platform = new MiniPlatform();
        await platform.StartAsync();
        using var control = new TcpListener(IPAddress.Loopback, 0);
        control.Start();
        using var scaler = new ReservedPort();
        using var run = Start(scaler, platform.Address.Authority, ((IPEndPoint)control.LocalEndpoint).Port);
        while (await run.StandardOutput.ReadLineAsync() is { } line && !line.Contains("the simulator listens", StringComparison.Ordinal))
        {
            // Until it has found both ports.
        }

        Assert.False(run.HasExited);
        control.Stop();
        await EndAsync(run);

        Assert.Equal(0, run.ExitCode);
    }

    [Fact]
    public async Task A_scaler_that_cannot_start_ends_the_script_with_its_status()
    {
        using var scaler = new ReservedPort();
        using var run = Start(scaler, "127.0.0.1:1", 1, "--policy", "nonsense");
        await EndAsync(run);

        Assert.Equal(2, run.ExitCode);
    }

    private static Process Start(ReservedPort scaler, string platform, int controlPort, params string[] arguments)
    {
        return Process.Start(new ProcessStartInfo("bash", [Path.Combine(Repository.Root, "eng", "contest-run.sh"), .. arguments])
        {
            RedirectStandardOutput = true,
            Environment =
            {
                ["FUNCSCALER"] = Path.Combine(AppContext.BaseDirectory, "funcscaler"),
                ["SCALER_PORT"] = scaler.Number.ToString(CultureInfo.InvariantCulture),
                ["HTTP_PORT"] = "0",
                ["CONTROL_PORT"] = controlPort.ToString(CultureInfo.InvariantCulture),
                ["PLATFORM"] = platform,

                // The program itself is started, and must find the runtime that these tests run on.
                ["DOTNET_ROOT"] = Path.GetFullPath(Path.Combine(RuntimeEnvironment.GetRuntimeDirectory(), "..", "..", "..")),
            },
        })!;
    }

    private static async Task EndAsync(Process run)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromMinutes(1));
        var rest = run.StandardOutput.ReadToEndAsync(limit.Token);
        await run.WaitForExitAsync(limit.Token);
        await rest;
    }
}
