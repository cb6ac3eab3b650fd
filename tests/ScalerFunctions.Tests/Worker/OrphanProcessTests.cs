using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using FuncScaler.ScalerFunctions.Worker;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace FuncScaler.Tests;

/// <summary>The worker as a process of its own, under a host that opens the worker protocol's stream, says nothing, and dies.</summary>
public sealed class OrphanProcessTests
{
    [Fact]
    public async Task A_worker_whose_host_was_killed_ends_and_frees_its_port()
    {
        var host = BuildHost(out var streamOpen);
        await host.StartAsync();
        var endpoint = host.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Single();
        using var reserved = new ReservedPort();
        var port = reserved.Number;
        using var worker = StartWorker(endpoint, port);
        var errors = worker.StandardError.ReadToEndAsync();
        var output = worker.StandardOutput.ReadToEndAsync();
        try
        {
            await streamOpen.WaitAsync(TimeSpan.FromSeconds(60));
            await Eventually.HoldsAsync(() => worker.HasExited || IsTaken(port));
            Assert.False(worker.HasExited, "the worker lives as long as its host does");

            await host.StopAsync(new CancellationToken(canceled: true));
            await host.DisposeAsync();

            using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(60));
            await worker.WaitForExitAsync(limit.Token);
        }
        finally
        {
            if (!worker.HasExited)
            {
                worker.Kill(entireProcessTree: true);
            }
        }

        Assert.Contains("has not answered for 5 s: this worker stops.", await errors, StringComparison.Ordinal);
        Assert.Equal(OrphanWatch.CutOff, worker.ExitCode);
        Assert.DoesNotContain("Unhandled exception", await errors + await output, StringComparison.Ordinal);
        Assert.False(IsTaken(port));
    }

    private static WebApplication BuildHost(out Task streamOpen)
    {
        var open = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel =>
            kestrel.Listen(IPAddress.Loopback, 0, listen => listen.Protocols = HttpProtocols.Http2));
        var host = builder.Build();
        host.Run(async http =>
        {
            http.Response.ContentType = "application/grpc";
            await http.Response.StartAsync(http.RequestAborted);
            open.TrySetResult();
            await Task.Delay(Timeout.Infinite, http.RequestAborted).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        });
        streamOpen = open.Task;
        return host;
    }

    private static Process StartWorker(string endpoint, int port)
    {
        var start = new ProcessStartInfo("dotnet")
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            ArgumentList =
            {
                Path.Combine(AppContext.BaseDirectory, "FuncScaler.ScalerFunctions.dll"),
                "--functions-uri", endpoint,
                "--functions-request-id", "1",
                "--functions-worker-id", "w",
                "--functions-grpc-max-message-length", "1000000",
            },
            Environment =
            {
                ["Scaler__LeaseSeconds"] = "5",
                ["Scaler__ReportSeconds"] = "0.2",
                ["Scaler__DrainTimeout"] = "00:00:00",
                ["Scaler__Grpc__Port"] = $"{port}",
                ["Scaler__HostUrl"] = "http://127.0.0.1:1",
            },
        };
        return Process.Start(start)!;
    }

    private static bool IsTaken(int port)
    {
        using var client = new TcpClient();
        try
        {
            client.Connect(IPAddress.Loopback, port);
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }
}
