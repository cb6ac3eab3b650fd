using FuncScaler.ScalerFunctions.Hosting;

namespace FuncScaler.Tests;

public sealed class ScalerAppOptionsTests
{
    public static TheoryData<ScalerAppOptions, string> Wrong => new()
    {
        { new ScalerAppOptions { Platform = "" }, "Scaler:Platform '' is no address" },
        { new ScalerAppOptions { Platform = "host" }, "write host:port" },
        { new ScalerAppOptions { Platform = "host:99999" }, "write host:port" },
        { new ScalerAppOptions { Platform = "ftp://host:1" }, "write host:port" },
        { new ScalerAppOptions { Backend = "lambda" }, "Scaler:Backend 'lambda' is not known" },
        { new ScalerAppOptions { Backend = "process" }, "Scaler:Backend 'process' serves one scaler alone" },
        { new ScalerAppOptions { Backend = "aci" }, "Scaler:BackendSettings: subscription '' is no subscription id" },
        { new ScalerAppOptions { Backend = "aci", BackendSettings = "{" }, "Scaler:BackendSettings: line 1" },
        { new ScalerAppOptions { Backend = "aci", BackendSettings = """{"subscripton":"x"}""" }, "subscripton" },
        { new ScalerAppOptions { HostUrl = "nowhere" }, "Scaler:HostUrl 'nowhere' is no address" },
        { new ScalerAppOptions { LeaseSeconds = 0 }, "Scaler:LeaseSeconds 0 is out of range" },
        { new ScalerAppOptions { LeaseSeconds = 6 }, "Scaler:LeaseSeconds and Scaler:ReportSeconds do not go together" },
        { new ScalerAppOptions { ReportSeconds = 0 }, "Scaler:ReportSeconds 0 is out of range" },
        { new ScalerAppOptions { ParkSeconds = -1 }, "Scaler:ParkSeconds -1 is out of range" },
        { new ScalerAppOptions { LatencyPrice = 0 }, "GBs per second of waiting" },
        { new ScalerAppOptions { MaxSlotsPerFunction = -1 }, "0 means no limit" },
        { new ScalerAppOptions { CreateBurst = 0 }, "at least 1" },
        { new ScalerAppOptions { CreatesPerMinute = 0 }, "more than 0" },
        { new ScalerAppOptions { DrainTimeout = TimeSpan.FromSeconds(-1) }, "Scaler:DrainTimeout" },
        { new ScalerAppOptions { HistoryKept = TimeSpan.FromMinutes(29) }, "Scaler:HistoryKept 00:29:00 is out of range" },
        { new ScalerAppOptions { HistoryKept = TimeSpan.FromDays(91) }, "Scaler:HistoryKept 91.00:00:00 is out of range" },
        { new ScalerAppOptions { MaxPurgesPerRun = 0 }, "Scaler:MaxPurgesPerRun 0 is out of range" },
        { new ScalerAppOptions { MaxPurgesPerRun = 100_001 }, "Scaler:MaxPurgesPerRun 100001 is out of range" },
        { new ScalerAppOptions { Policy = "no-such" }, "Scaler:Policy" },
        { new ScalerAppOptions { Grpc = new GrpcPortOptions { Port = 70_000 } }, "Scaler:Grpc:Port 70000 is no port" },
        { new ScalerAppOptions { Grpc = new GrpcPortOptions { Port = -1 } }, "Scaler:Grpc:Port -1 is no port" },
        { new ScalerAppOptions { Grpc = new GrpcPortOptions { Port = 1, Address = "everywhere" } }, "'everywhere' is no IP address" },
        { new ScalerAppOptions { Grpc = new GrpcPortOptions { Port = 1, Address = "0.0.0.0" } }, "set Scaler:Grpc:Key" },
    };

    public static TheoryData<ScalerAppOptions> Right => new()
    {
        new ScalerAppOptions(),
        new ScalerAppOptions { Platform = "platform.internal:50051", Policy = "ttl:9" },
        new ScalerAppOptions { Platform = "[::1]:50051" },
        new ScalerAppOptions
        {
            Backend = "aci",
            BackendSettings = """
                {"subscription":"00000000-0000-0000-0000-000000000001","images":{"*":"example/runtime:1"},
                 "places":[{"resourceGroup":"slots","region":"westeurope"}]}
                """,
        },
        new ScalerAppOptions { Grpc = new GrpcPortOptions { Port = 9001 } },
        new ScalerAppOptions { Grpc = new GrpcPortOptions { Port = 9001, Address = "0.0.0.0", Key = "k" } },
        new ScalerAppOptions { Grpc = new GrpcPortOptions { Port = 9001, Address = "::", AllowAnonymous = true } },
    };

    [Theory]
    [MemberData(nameof(Wrong), DisableDiscoveryEnumeration = true)]
    public void A_wrong_setting_is_named_with_how_to_mend_it(ScalerAppOptions options, string message)
    {
        var result = new ScalerAppOptionsValidator().Validate(null, options);

        Assert.True(result.Failed);
        Assert.Contains(message, result.FailureMessage, StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(Right), DisableDiscoveryEnumeration = true)]
    public void Right_settings_pass(ScalerAppOptions options) =>
        Assert.True(new ScalerAppOptionsValidator().Validate(null, options).Succeeded);
}
