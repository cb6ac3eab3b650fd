using System.Net;
using FuncScaler.Contract;
using FuncScaler.Leasing;
using FuncScaler.Leasing.Messages;
using FuncScaler.Policies;
using FuncScaler.Runtime.Leasing;
using FuncScaler.Runtime.Service;
using FuncScaler.SlotBackends.Fake;
using FuncScaler.SlotBackends.Simulator;
using Grpc.Core;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace FuncScaler.Runtime.Rehearsing;

/// <summary>
/// Plays cold starts, warm starts, releases and a refusal through a scaler that is thrown away, over gRPC on a loopback port, with slots that do
/// not exist. Code is compiled when it first runs, and the first burst of requests would wait for that: about 0.7 s on 2 shared vCPUs.
/// </summary>
public static class Rehearsal
{
    /// <summary>More than this a start is not held up.</summary>
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(10);

    private const int Functions = 8;

    /// <summary>Rehearses what the self-host runs.</summary>
    /// <param name="policy">How functions are served.</param>
    /// <param name="pool">Limits of pools.</param>
    /// <param name="time">The clock.</param>
    /// <param name="cancellationToken">Ends the rehearsal.</param>
    /// <returns>Why it was broken off; null where it was not. A scaler serves without it as well, later at first.</returns>
    public static async Task<string?> RunAsync(PolicyChoice policy, SlotPoolOptions pool, TimeProvider time, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(time);
        var options = new ScalerRuntimeOptions { Pool = pool, Measured = false };
        var scaler = new ScalerRuntime(new FakeBackend(time), policy, options, time, NullLogger<ScalerRuntime>.Instance);
        await using (scaler.ConfigureAwait(false))
        {
            return await PlayAsync(scaler, time, cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>Rehearses what a worker of several runs.</summary>
    /// <param name="policy">How functions are served.</param>
    /// <param name="leasing">Settings of leasing.</param>
    /// <param name="time">The clock.</param>
    /// <param name="cancellationToken">Ends the rehearsal.</param>
    /// <returns>Why it was broken off; null where it was not.</returns>
    public static async Task<string?> RunAsync(PolicyChoice policy, LeasingOptions leasing, TimeProvider time, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(time);
        var options = new ScalerRuntimeOptions { Measured = false };
        var ledgers = new PretendedLedgers(policy, leasing, time);
        var backend = new FakeBackend(time);
        await using (backend.ConfigureAwait(false))
        {
            var scaler = new WorkerRuntime(new WorkerId("rehearsal"), ledgers, backend, policy, leasing, options, time, NullLogger<WorkerRuntime>.Instance);
            await using (scaler.ConfigureAwait(false))
            {
                return await PlayAsync(scaler, time, cancellationToken).ConfigureAwait(false);
            }
        }
    }

    private static async Task<string?> PlayAsync(IScaler scaler, TimeProvider time, CancellationToken cancellationToken)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        using var timer = time.CreateTimer(_ => limit.Cancel(), null, Limit, Timeout.InfiniteTimeSpan);
        try
        {
            var stage = await OpenAsync(scaler, limit.Token).ConfigureAwait(false);
            await using (stage.ConfigureAwait(false))
            {
                using var channel = PlatformChannel.Open(new Uri(stage.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First()));
                await PlayAsync(new Contract.Scaler.ScalerClient(channel), limit.Token).ConfigureAwait(false);
                await stage.StopAsync(limit.Token).ConfigureAwait(false);
                return null;
            }
        }
        catch (RpcException e) when (cancellationToken.IsCancellationRequested)
        {
            throw new OperationCanceledException("the rehearsal was ended", e, cancellationToken);
        }
        catch (Exception e) when (!cancellationToken.IsCancellationRequested)
        {
            return limit.IsCancellationRequested ? $"it took longer than {Limit.TotalSeconds} s" : e.Message;
        }
    }

    private static async Task<WebApplication> OpenAsync(IScaler scaler, CancellationToken cancellationToken)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.Services.AddScalerGrpc();
        builder.Services.AddSingleton(new ScalerService(scaler));
        builder.WebHost.ConfigureKestrel(static kestrel => kestrel.ListenGrpc(IPAddress.Loopback, 0));
        var stage = builder.Build();
        stage.MapScalerGrpc();
        await stage.StartAsync(cancellationToken).ConfigureAwait(false);
        return stage;
    }

    private static async Task PlayAsync(Contract.Scaler.ScalerClient scaler, CancellationToken cancellationToken)
    {
        // Twice as many requests as functions at once, all cold; then one after the other, warm.
        await Task.WhenAll(Enumerable.Range(0, 2 * Functions).Select(i => CallAsync(scaler, $"first-{i}", i % Functions, cancellationToken))).ConfigureAwait(false);
        for (var i = 0; i < 2 * Functions; i++)
        {
            await CallAsync(scaler, $"second-{i}", i % Functions, cancellationToken).ConfigureAwait(false);
        }

        try
        {
            await scaler.AssignAsync(new AssignRequest { RequestId = "wrong" }, cancellationToken: cancellationToken).ConfigureAwait(false);
        }
        catch (RpcException e) when (e.StatusCode == StatusCode.InvalidArgument)
        {
            // As it should be.
        }
    }

    private static async Task CallAsync(Contract.Scaler.ScalerClient scaler, string request, int function, CancellationToken cancellationToken)
    {
        var meta = new Meta { Key = $"rehearsal-{function}", Runtime = "none", TimeoutInSecs = 60, MemoryInMb = 128 };
        var reply = await scaler.AssignAsync(new AssignRequest { RequestId = request, MetaData = meta }, cancellationToken: cancellationToken).ConfigureAwait(false);
        await scaler.IdleAsync(
            new IdleRequest { Assigment = reply.Assigment, Result = new Result { StatusCode = 200, DurationInMs = 1 } },
            cancellationToken: cancellationToken).ConfigureAwait(false);
    }
}
