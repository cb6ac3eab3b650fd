using System.CommandLine;
using FuncScaler.KillWorker;

var host = new Option<string>("--host") { Description = "The command that starts the Functions host, run by sh; stopped at the end", Required = true };
var url = new Option<string>("--url") { Description = "Where the host listens", DefaultValueFactory = _ => "http://127.0.0.1:7071" };
var match = new Option<string>("--match") { Description = "What a worker's command line contains", DefaultValueFactory = _ => "FuncScaler.ScalerFunctions.dll" };
var seconds = new Option<int>("--seconds") { Description = "How long the load lasts, s", DefaultValueFactory = _ => 30 };
var clients = new Option<int>("--clients") { Description = "Callers at a time", DefaultValueFactory = _ => 16 };
var functions = new Option<int>("--functions") { Description = "Functions they call", DefaultValueFactory = _ => 4 };
var kills = new Option<int>("--kills") { Description = "Workers to kill, evenly over the load", DefaultValueFactory = _ => 3 };
var settle = new Option<int>("--settle") { Description = "How long to wait at most until no instance is left, s", DefaultValueFactory = _ => 240 };
var seed = new Option<int>("--seed") { Description = "Of the callers' choices", DefaultValueFactory = _ => 1 };

var command = new RootCommand("Loads the Functions app, kills its workers (SIGKILL), and counts instances lost or given to two requests")
{
    host, url, match, seconds, clients, functions, kills, settle, seed,
};
command.SetAction((parsed, cancellationToken) => new Experiment(
    parsed.GetValue(host)!,
    new Uri(parsed.GetValue(url)!),
    parsed.GetValue(match)!,
    TimeSpan.FromSeconds(parsed.GetValue(seconds)),
    parsed.GetValue(clients),
    parsed.GetValue(functions),
    parsed.GetValue(kills),
    TimeSpan.FromSeconds(parsed.GetValue(settle)),
    parsed.GetValue(seed)).RunAsync(cancellationToken));
return await command.Parse(args).InvokeAsync();
