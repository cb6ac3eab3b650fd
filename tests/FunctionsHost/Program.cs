using System.CommandLine;
using FuncScaler.FunctionsHost;

var app = new Option<string>("--app") { Description = "The app's folder, as built or published", Required = true };
var port = new Option<int>("--http-port") { Description = "For callers, on loopback; 0 for any free port", DefaultValueFactory = _ => 7071 };
var storage = new Option<string?>("--storage") { Description = "The storage account's connection string; without it Azurite is started (tests/azurite)" };
var hub = new Option<string?>("--hub") { Description = "The task hub; else host.json's" };
var workers = new Option<int>("--workers") { Description = "Worker processes", DefaultValueFactory = _ => 1 };
var key = new Option<string?>("--key") { Description = "The function key to ask callers for; without it none is asked for" };
var settings = new Option<string[]>("--setting")
{
    Description = "An app setting, NAME=VALUE, for example Scaler__Grpc__Port=9001; may be given several times",
    DefaultValueFactory = _ => [],
};
var verbose = new Option<bool>("--verbose") { Description = "Print what host and workers log, from warnings on" };

var command = new RootCommand(
    "Runs the Functions app as its host would, on this machine; GET /stand-in tells of workers and counts storage operations, DELETE /stand-in counts anew")
{
    app, port, storage, hub, workers, key, settings, verbose,
};
command.SetAction((parsed, cancellationToken) => ByHand.RunAsync(
    new HostOptions
    {
        App = parsed.GetValue(app)!,
        Storage = parsed.GetValue(storage) ?? "",
        Hub = parsed.GetValue(hub),
        HttpPort = parsed.GetValue(port),
        FunctionKey = parsed.GetValue(key),
        Workers = parsed.GetValue(workers),
        Settings = parsed.GetValue(settings)!.Select(s => s.Split('=', 2)).ToDictionary(s => s[0], s => s.Length > 1 ? s[1] : ""),
        Log = parsed.GetValue(verbose) ? Console.WriteLine : _ => { },
    },
    cancellationToken));
return await command.Parse(args).InvokeAsync();
